#include "toolbox_git/discard.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "toolbox_git/operations.h"

namespace sebring::toolbox_git {
namespace {

namespace fs = std::filesystem;

Result<void> remove_whole(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);  // works relative to open directories, so links swapped in meanwhile lead nowhere
  if (code && code != std::errc::no_such_file_or_directory) return fail_errno(code.value(), "remove " + path.string());
  return {};
}

}  // namespace

Result<void> remove_tree(const std::string& path, bool keep_directory) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail_errno(errno, "remove " + path);
  }
  if (!S_ISDIR(info.st_mode)) return fail(Errc::invalid_argument, "remove " + path + ": it is no directory");
  if (!keep_directory) return remove_whole(path);
  Result<void> first;
  std::error_code code;
  for (fs::directory_iterator it(path, code), end; !code && it != end; it.increment(code)) {
    auto removed = remove_whole(it->path());
    if (!removed && first) first = std::move(removed);
  }
  if (code && first) return fail_errno(code.value(), "remove what is in " + path);
  return first;
}

Result<std::string> perform(const Discard& request, Tools&) {
  SB_CHECK(remove_tree(request.path, request.keep_directory));
  return "";
}

}  // namespace sebring::toolbox_git
