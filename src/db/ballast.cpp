#include "db/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace sebring::db {

Result<void> Ballast::take() {
  UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, "open " + path_);
  struct stat status{};
  if (::fstat(fd.get(), &status) == 0 && status.st_blocks * 512 >= bytes_) return {};
  // Never touched, so that it costs no memory; a file system that only pretends to allocate gives no worse than none.
  if (const int code = ::posix_fallocate(fd.get(), 0, bytes_); code != 0) {
    fd.reset();
    ::unlink(path_.c_str());
    return fail_errno(code, "reserve space in " + path_);
  }
  return {};
}

bool Ballast::give_up() { return ::unlink(path_.c_str()) == 0; }

}  // namespace sebring::db
