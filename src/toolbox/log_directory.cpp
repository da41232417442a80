#include "toolbox/log_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace sebring::toolbox {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

std::string choose_log_directory(const Configuration& configuration) {
  if (!configuration.log_dir.empty()) return configuration.log_dir;
  struct stat status{};
  const bool has_var = ::lstat("/var/lib", &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == 0;
  return has_var ? "/var/lib/sebring/sessions" : "/.sebring/sessions";
}

Result<void> make_log_directory(const std::string& path, uid_t uid, gid_t gid) {
  const auto slash = path.find_last_of('/');
  const std::string parent = path.substr(0, std::max<std::size_t>(slash, 1));
  if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(errno, "make " + parent);
  const UniqueFd above(::open(parent.c_str(), kOpenDirectory));
  struct stat status{};
  if (!above || ::fstat(above.get(), &status) != 0) return fail_errno(errno, "open " + parent);
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) return fail(Errc::forbidden, parent + " is not root's");
  const std::string name = path.substr(slash + 1);
  if (::mkdirat(above.get(), name.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "make " + path);
  const UniqueFd directory(::openat(above.get(), name.c_str(), kOpenDirectory));
  if (!directory) return fail_errno(errno, "open " + path);
  if (::geteuid() == 0 && ::fchown(directory.get(), uid, gid) != 0) return fail_errno(errno, "own " + path);
  return {};
}

}  // namespace sebring::toolbox
