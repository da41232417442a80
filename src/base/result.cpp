#include "base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace sebring {
namespace {

Errc errc_of(int number) {
  switch (number) {
    case ENOENT:
    case ESRCH:
      return Errc::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::forbidden;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY:
      return Errc::conflict;
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
      return Errc::invalid_argument;
    case ETIMEDOUT:
      return Errc::timed_out;
    case ECANCELED:
      return Errc::cancelled;
    case EDQUOT:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return Errc::unavailable;
    default:
      return Errc::internal;
  }
}

}  // namespace

std::string errno_text(int number) { return std::generic_category().message(number); }

Error Error::from_errno(int saved_errno, std::string_view doing) {
  std::string text = std::string(doing) + ": " + errno_text(saved_errno);
  if (saved_errno == EMFILE) text += " (raise the server's limit: ulimit -n, or LimitNOFILE= in its unit)";
  if (saved_errno == ENFILE) text += " (raise the machine's limit: sysctl fs.file-max)";
  Error error(errc_of(saved_errno), text);
  error.os_errno_ = saved_errno;
  return error;
}

Error Error::while_doing(std::string_view what) && {
  message_.insert(0, ": ").insert(0, what);
  return std::move(*this);
}

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace sebring
