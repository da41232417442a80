// Loaded before libc: the wall clock of a process runs ahead by the seconds (eight bytes, of this machine's order) in
// the file `offset` beside this library, which may change at any time. All other clocks are as they are.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

namespace {

constexpr std::size_t kPage = 4096;

const volatile long* map_offset() {
  static const long kNone = 0;
  Dl_info here{};
  char path[512];
  if (::dladdr(reinterpret_cast<void*>(&map_offset), &here) == 0 || std::strlen(here.dli_fname) > 400) return &kNone;
  std::strcpy(path, here.dli_fname);
  char* slash = std::strrchr(path, '/');
  std::strcpy(slash == nullptr ? path : slash + 1, "offset");
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return &kNone;
  void* mapped = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return mapped == MAP_FAILED ? &kNone : static_cast<const volatile long*>(mapped);
}

long offset() {
  static const volatile long* const kMapped = map_offset();
  return *kMapped;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, struct timespec* now) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
  return static_cast<int>(result);
}

int gettimeofday(struct timeval* __restrict now, void* __restrict) noexcept {
  struct timespec precise{};
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* into) noexcept {
  struct timespec precise{};
  clock_gettime(CLOCK_REALTIME, &precise);
  if (into != nullptr) *into = precise.tv_sec;
  return precise.tv_sec;
}
}
