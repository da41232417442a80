#include "toolbox/paths.h"

namespace sebring::toolbox {

Result<std::string> resolve_path(std::string_view path, std::string_view work_dir, std::string_view home) {
  if (path.empty()) return fail(Errc::invalid_argument, "path is required", "INVALID_FILE_PATH");
  if (path.find('\0') != std::string_view::npos) {
    return fail(Errc::invalid_argument, "path contains a NUL character", "INVALID_FILE_PATH");
  }
  if (path[0] == '/') return std::string(path);
  std::string_view base = work_dir;
  if (path == "~") return std::string(home);
  if (path.starts_with("~/")) {
    base = home;
    path.remove_prefix(2);
  }
  std::string absolute(base);
  if (absolute.empty() || absolute.back() != '/') absolute += '/';
  absolute += path;
  return absolute;
}

}  // namespace sebring::toolbox
