#include "toolbox/files/file_error.h"

#include <cerrno>

namespace sebring::toolbox::files {

Error file_error(int number, std::string_view doing) {
  Error error = Error::from_errno(number, doing);
  switch (number) {
    case ENOENT:
      return std::move(error).tagged("FILE_NOT_FOUND");
    case EACCES:
    case EPERM:
    case EROFS:
    case ETXTBSY:
      return std::move(error).with_code(Errc::forbidden).tagged("FILE_ACCESS_DENIED");
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENXIO:
      return std::move(error).with_code(Errc::invalid_argument).tagged("INVALID_FILE_PATH");
    case EIO:
    case ESTALE:
    case EBADMSG:
      return std::move(error).tagged("FILE_READ_FAILED");
    default:
      return error;
  }
}

}  // namespace sebring::toolbox::files
