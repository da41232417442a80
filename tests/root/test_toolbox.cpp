// The smallest toolbox: PID 1 that runs shell commands. A connection carries one request, "<uid> <command>" up to the
// end of what the client writes; the answer is what the command printed and, after the last NUL, its exit status.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "slot/slot.h"

namespace {

int run(const char* command, int uid, int user_cgroup, int out) {
  const char* argv[] = {"sh", "-c", command, nullptr};
  const char* environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp",
                               nullptr};
  pid_t pid = fork();
  if (pid == 0) {
    if (user_cgroup >= 0 && write(user_cgroup, "0", 1) < 0) _exit(125);
    if (uid >= 0) {
      syscall(SYS_setgroups, 0, nullptr);
      if (syscall(SYS_setresgid, uid, uid, uid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0) _exit(126);
    }
    setsid();
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    syscall(SYS_close_range, 3, ~0U, 0);
    execve("/bin/sh", const_cast<char**>(argv), const_cast<char**>(environment));
    _exit(127);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void serve(int connection, int user_cgroup) {
  std::string request;
  char block[4096];
  for (ssize_t n; (n = read(connection, block, sizeof block)) > 0;) request.append(block, static_cast<std::size_t>(n));
  auto space = request.find(' ');
  if (space != std::string::npos) {
    int status = run(request.c_str() + space + 1, std::atoi(request.c_str()), user_cgroup, connection);
    std::string tail = std::string(1, '\0') + std::to_string(status);
    (void)!write(connection, tail.data(), tail.size());
  }
  close(connection);
}

}  // namespace

int main() {
  auto entered = sebring::slot::wait_in_slot();
  if (!entered) return 1;
  for (;;) {
    pollfd wait{entered->listening.get(), POLLIN, 0};
    poll(&wait, 1, 200);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    int connection = accept4(entered->listening.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    // One process per request, so that a long command does not keep others waiting.
    pid_t pid = fork();
    if (pid == 0) {
      serve(connection, entered->user_cgroup.get());
      _exit(0);
    }
    close(connection);
  }
}
