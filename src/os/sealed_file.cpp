#include "os/sealed_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "os/file.h"

namespace sebring::os {

Result<UniqueFd> sealed_copy(const std::string& path) {
  SB_TRY(auto source, open_at(AT_FDCWD, path, O_RDONLY));
  UniqueFd copy(::memfd_create("sebring-toolbox", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return fail_errno(errno, "make a memory file");
  char block[65536];
  for (ssize_t n; (n = ::read(source.get(), block, sizeof block)) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read " + path);
    SB_CHECK(write_all(copy.get(), std::string_view(block, static_cast<std::size_t>(n))));
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
    return fail_errno(errno, "seal the copy of " + path);
  UniqueFd high(::fcntl(copy.get(), F_DUPFD_CLOEXEC, 100));
  if (!high) return fail_errno(errno, "duplicate a descriptor");
  return high;
}

}  // namespace sebring::os
