#pragma once
// Names in `sebring cp`, apart from anything that reads or writes.
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::cli {

// "BOX:PATH", "PATH" or "-" (standard input or output).
struct CopyEnd {
  std::string box;  // empty: on this machine
  std::string path;
  bool is_remote() const { return !box.empty(); }
  bool is_standard() const { return box.empty() && path == "-"; }
};
// A colon after a slash belongs to a local name, so "./a:b" is one. An empty remote path is the working directory.
CopyEnd parse_copy_end(std::string_view text);

// Last part, without slashes at the end: what a copy into a directory is called. Empty for "/", "." and "..".
std::string base_name(std::string_view path);

// `entry` below `base`, relative: "/a", "/a/b/c" -> "b/c". The names come from inside a sandbox, which may lie: nullopt
// for what is not below, and for any part that is empty, "." or "..".
std::optional<std::string> relative_below(std::string_view base, std::string_view entry);

// "0755" of a FileInfo's `permissions`. nullopt when it is nothing of the kind.
std::optional<unsigned> parse_mode(std::string_view text);

}  // namespace sebring::cli
