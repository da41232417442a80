#include "runtime/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "slot/slot.h"

namespace sebring::runtime {
namespace {

// Shares our memory until it executes: system calls on what was prepared, nothing else. Handlers are reset by the exec;
// until then all signals are blocked.
[[noreturn]] void child(const Launch& what) {
  for (int group : what.groups)
    if (::syscall(SYS_write, group, "0", 1) < 0) ::_exit(99);
  for (const auto& limit : what.limits)
    if (::syscall(SYS_prlimit64, 0, limit.resource, &limit.value, nullptr) < 0) ::_exit(97);
  for (int fd = 0; fd < 3; ++fd) ::syscall(SYS_dup3, what.null, fd, 0);
  ::syscall(SYS_dup3, what.control, slot::kControlFd, 0);
  ::syscall(SYS_close_range, slot::kControlFd + 1, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  ::syscall(SYS_umask, 022);
  unsigned long none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
  char name[] = "sebring-toolbox";
  char* argv[] = {name, nullptr};
  char* environment[] = {nullptr};
  ::syscall(SYS_execveat, what.executable, "", argv, environment, AT_EMPTY_PATH);
  ::_exit(98);
}

__attribute__((noinline)) pid_t start(const Launch& what) {
  pid_t pid = ::vfork();
  if (pid == 0) child(what);
  return pid < 0 ? -errno : pid;
}

}  // namespace

pid_t launch(const Launch& what) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = start(what);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

}  // namespace sebring::runtime
