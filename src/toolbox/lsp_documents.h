#pragma once
// Files as language servers know them.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "toolbox/blocking_thread.h"
#include "toolbox/context.h"

namespace sebring::toolbox {

inline constexpr std::size_t kLspFileBytesMax = 16 << 20;

// "file:///a%20b" for "/a b".
std::string file_uri(std::string_view path);
// The absolute path that a client means by a URI. Clients put "file://" before whatever path they were given: a
// relative one is of the project, or of the work directory when only that has it. Errc::invalid_argument for other
// schemes, bad escapes, NUL.
struct LspPlaces {
  std::string project;
  std::string work_dir;
};
Result<std::vector<std::string>> candidate_paths(std::string_view uri, const LspPlaces& places);

struct SourceFile {
  std::string path;
  std::string text;
  std::int64_t modified_ns = 0;
  std::int64_t size = 0;
};
// Of the candidates the first that is there, read with the user's rights. FILE_NOT_FOUND, FILE_ACCESS_DENIED, ...
Result<SourceFile> read_source(const std::vector<std::string>& candidates, const Identity& user);
// modified_ns and size only; nullopt when it is not there.
std::optional<SourceFile> look_at_source(const std::string& path, const Identity& user);
// Source files below `project`, at most `count_max`, without hidden directories and those of packages.
std::vector<std::string> list_sources(const std::string& project, const std::vector<std::string>& suffixes,
                                      std::size_t count_max, const Identity& user);

}  // namespace sebring::toolbox
