#include "down.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "base/unique_fd.h"

namespace sebring {
namespace {

// The server itself promises five seconds.
constexpr int kPatienceMs = 15'000;

}  // namespace

Result<void> stop_server(const std::string& data_dir) {
  const std::string path = data_dir + "/lock";
  auto none = [&] { return fail(Errc::not_found, "no server with data directory " + data_dir + " runs"); };
  UniqueFd lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock && errno == ENOENT) return none();
  if (!lock) return fail_errno(errno, "open " + path);
  // Who holds the lock wrote its number; without a holder the number is an old one, perhaps somebody else's by now.
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return none();
  char bytes[32];
  ssize_t got = ::pread(lock.get(), bytes, sizeof bytes, 0);
  auto pid = got > 0 ? parse_integer(trim({bytes, static_cast<std::size_t>(got)})) : std::nullopt;
  if (!pid || *pid < 2) return fail(Errc::internal, path + " does not say which process it is");
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(*pid), 0)));
  if (!process && errno == ESRCH) return {};
  if (!process) return fail_errno(errno, "open process " + std::to_string(*pid));
  // It may have ended, and another process got its number, between the two looks.
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return {};
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0) != 0 && errno != ESRCH)
    return fail_errno(errno, "stop process " + std::to_string(*pid));
  pollfd end{process.get(), POLLIN, 0};
  int ready = 0;
  while ((ready = ::poll(&end, 1, kPatienceMs)) < 0 && errno == EINTR) {
  }
  if (ready == 1) return {};
  return fail(Errc::timed_out,
              "process " + std::to_string(*pid) + " did not stop within " + std::to_string(kPatienceMs / 1000) + " s");
}

}  // namespace sebring
