#pragma once
// Directories and what is below them, by descriptor: no name is resolved twice, links are never followed on the way.
#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::toolbox::files {

// Names in a directory, sorted by bytes; "." and ".." left out. `directory` must be open for reading.
Result<std::vector<std::string>> read_names(int directory);

// Opens a directory for reading; a link as last part is followed.
Result<UniqueFd> open_directory(const std::string& path);

enum class Visit { go_on, skip, stop };

struct Visited {
  int parent;             // directory that holds it
  std::string_view name;  // in the parent
  std::string_view path;  // from the walk's root on, beginning with what the walk was given
  const struct stat& status;
  int level;  // 1: directly below the root
};

// Calls `visit` for everything below `root`, parents first, in order of names. Links are visited, not followed. What
// vanishes or can not be opened below the root is passed over. `skip` on a directory leaves out what is below it.
// Errors only for the root itself.
Result<void> walk(const std::string& root, std::string_view shown_root,
                  const std::function<Visit(const Visited&)>& visit);

// Removes a file, or a directory with all that is below it. Stops at the first thing that can not be removed.
Result<void> remove_tree(const std::string& path);

// Copies whatever lies there, with modes, times and, where the user may give files away, owners.
Result<void> copy_tree(const std::string& from, const std::string& to);

// mkdir -p. New directories get `mode` (the umask does not apply).
Result<void> make_directories(const std::string& path, unsigned mode);

}  // namespace sebring::toolbox::files
