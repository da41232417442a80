#include "runtime/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "slot/slot.h"

namespace sebring::runtime {
namespace {

// Shares our memory until it executes: system calls on what was prepared, nothing else. Handlers are reset by the exec;
// until then all signals are blocked. It shares the descriptors too, until it has a table of its own with the few it
// needs: copying and closing those of thousands of sandboxes would take longer than everything else here.
[[noreturn]] int child(void* argument) {
  const Launch& what = *static_cast<const Launch*>(argument);
  for (int group : what.groups)
    if (::syscall(SYS_write, group, "0", 1) < 0) ::_exit(99);
  const int highest = std::max({what.executable, what.control, what.null, what.words});
  if (::syscall(SYS_close_range, highest + 1, ~0U, 2 /* CLOSE_RANGE_UNSHARE */) < 0) ::_exit(96);
  for (const auto& limit : what.limits)
    if (::syscall(SYS_prlimit64, 0, limit.resource, &limit.value, nullptr) < 0) ::_exit(97);
  for (int fd = 0; fd < 3; ++fd) ::syscall(SYS_dup3, what.null, fd, 0);
  if (what.words >= 0) ::syscall(SYS_dup3, what.words, 2, 0);
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

constexpr std::size_t kStackBytes = 64 * 1024;

}  // namespace

pid_t launch(const Launch& what) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  alignas(16) thread_local char stack[kStackBytes];
  pid_t pid =
      ::clone(child, stack + kStackBytes, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, const_cast<Launch*>(&what));
  if (pid < 0) pid = -errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

}  // namespace sebring::runtime
