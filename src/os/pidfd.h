#pragma once
// Processes by descriptor: a pidfd never names another process, a number may.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

Result<UniqueFd> open_pidfd(pid_t pid);
// A process that has already ended is fine.
Result<void> signal_pidfd(int pidfd, int signal);
// Waits at most `milliseconds` (-1: for ever) for its end. True when it has ended.
bool wait_pidfd(int pidfd, int milliseconds);

struct Ended {
  int code = 0;    // of exit; meaningless when signal is set
  int signal = 0;  // 0: exited by itself
};
// Reaps an ended child. nullopt when it is not our child (somebody else reaps it) or has not ended.
std::optional<Ended> reap_pidfd(int pidfd);

// Field 22 of /proc/<pid>/stat: clock ticks after boot. 0 when there is no such process. With the boot id it tells two
// processes of one number apart; read it *after* opening the pidfd, so that what was compared is what is held.
std::uint64_t start_time(pid_t pid);
// State letter of /proc/<pid>/stat, 0 when there is no such process.
char process_state(pid_t pid);

// Whether it leads a session that has a terminal, as an interactive shell does. Such a one ignores SIGTERM and takes
// SIGHUP for the end.
bool leads_terminal(pid_t pid);

struct ProcessActivity {
  std::string states;  // a letter for each thread: R runs or waits for its turn, D for the disk, S sleeps, T stopped
  std::uint64_t ticks = 0;  // processor time of all of them
};
// nullopt when there is no such process.
std::optional<ProcessActivity> process_activity(pid_t pid);

}  // namespace sebring::os
