#include "os/pidfd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "os/file.h"

namespace sebring::os {

Result<UniqueFd> open_pidfd(pid_t pid) {
  int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return fail_errno(errno, "open process " + std::to_string(pid));
  return UniqueFd(fd);
}

Result<void> signal_pidfd(int pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) < 0 && errno != ESRCH)
    return fail_errno(errno, "signal a process");
  return {};
}

bool wait_pidfd(int pidfd, int milliseconds) {
  pollfd wait{pidfd, POLLIN, 0};
  int n;
  while ((n = ::poll(&wait, 1, milliseconds)) < 0 && errno == EINTR) {
  }
  return n > 0;
}

std::optional<Ended> reap_pidfd(int pidfd) {
  siginfo_t info{};
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) < 0 ||
      info.si_pid == 0)
    return std::nullopt;
  if (info.si_code == CLD_EXITED) return Ended{.code = info.si_status};
  return Ended{.signal = info.si_status};
}

namespace {

std::string proc_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

// Text of <directory>/stat behind the command's name, which may contain anything, ")" and spaces included.
std::string stat_tail(const std::string& directory) {
  auto text = read_at(AT_FDCWD, directory + "/stat", 4096);
  if (!text) return "";
  auto end = text->rfind(')');
  return end == std::string::npos || end + 2 >= text->size() ? "" : text->substr(end + 2);
}

}  // namespace

std::uint64_t start_time(pid_t pid) {
  std::string tail = stat_tail(proc_of(pid));  // begins with field 3
  std::size_t at = 0;
  for (int field = 3; field < 22; ++field) {
    at = tail.find(' ', at);
    if (at == std::string::npos) return 0;
    ++at;
  }
  return at < tail.size() ? std::strtoull(tail.c_str() + at, nullptr, 10) : 0;
}

char process_state(pid_t pid) {
  std::string tail = stat_tail(proc_of(pid));
  return tail.empty() ? '\0' : tail[0];
}

bool leads_terminal(pid_t pid) {
  const std::string tail = stat_tail(proc_of(pid));
  const auto fields = split(tail, ' ');  // from field 3 on; 6 and 7 are session and terminal
  return fields.size() > 4 && fields[3] == std::to_string(pid) && fields[4] != "0";
}

std::optional<ProcessActivity> process_activity(pid_t pid) {
  const std::string tail = stat_tail(proc_of(pid));
  const auto fields = split(tail, ' ');  // from field 3 on; 14 and 15 are user and system time
  const auto user = fields.size() > 12 ? parse_integer(fields[11]) : std::nullopt;
  const auto system = fields.size() > 12 ? parse_integer(fields[12]) : std::nullopt;
  const auto threads = list_dir_at(AT_FDCWD, proc_of(pid) + "/task");
  if (!user || !system || !threads) return std::nullopt;
  ProcessActivity activity{.ticks = static_cast<std::uint64_t>(*user + *system)};
  for (const auto& thread : *threads)
    if (auto of_thread = stat_tail(proc_of(pid) + "/task/" + thread); !of_thread.empty())
      activity.states += of_thread[0];
  return activity;
}

}  // namespace sebring::os
