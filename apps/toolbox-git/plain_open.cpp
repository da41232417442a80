// The linker puts these in place of the real ones (--wrap). In a repository or a home any file may be a pipe that
// nobody writes to, and opening one never ends; devices are no better. So nothing is waited for here, and what is
// neither file nor directory is not opened. NOLINTBEGIN
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "toolbox_git/refused_file.h"

extern "C" {

int __real_open(const char*, int, ...);
FILE* __real_fopen(const char*, const char*);

int __wrap_open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & (O_CREAT | __O_TMPFILE)) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  const int file = __real_open(path, flags | O_NONBLOCK, mode);
  struct stat status;
  const bool refused = file < 0 ? errno == ENXIO  // a pipe without a reader, opened for writing; a socket
                                : !(flags & O_PATH) && ::fstat(file, &status) == 0 && !S_ISREG(status.st_mode) &&
                                      !S_ISDIR(status.st_mode) && std::strncmp(path, "/dev/", 5) != 0;
  if (!refused) return file;
  if (file >= 0) ::close(file);
  sebring::toolbox_git::refuse_file(path);
  errno = ENXIO;
  return -1;
}

FILE* __wrap_fopen(const char* path, const char* mode) {
  if (std::strchr(mode, 'r') == nullptr || std::strchr(mode, '+') != nullptr) return __real_fopen(path, mode);
  const int file = __wrap_open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  FILE* stream = ::fdopen(file, mode);
  if (!stream) ::close(file);
  return stream;
}
}
// NOLINTEND
