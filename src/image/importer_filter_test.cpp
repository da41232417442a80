#include "image/importer_filter.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace sebring;
using namespace sebring::image;

namespace {

// How a process ends that does `call` behind the filter: 0 when it may.
int end_of(ImporterRole role, void (*call)()) {
  pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!restrict_system_calls(role)) ::_exit(99);
    call();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("calls behind the filter") {
  struct Row {
    const char* name;
    void (*call)();
    bool expand, unpack, pack;
  } rows[] = {
      {"getrandom is not needed",
       [] {
         char c;
         ::syscall(SYS_getrandom, &c, 1, 0);
       },
       false, false, false},
      {"memory", [] { ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }, true, true,
       true},
      {"code", [] { ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }, false, false,
       false},
      {"code by mprotect", [] { ::mprotect(nullptr, 4096, PROT_EXEC); }, false, false, false},
      {"openat", [] { ::openat(-1, "x", O_RDONLY); }, false, true, true},
      {"write a file", [] { ::syscall(SYS_ftruncate, -1, 0); }, false, true, false},
      {"socket", [] { ::socket(AF_INET, SOCK_STREAM, 0); }, false, false, false},
      {"unix socket", [] { ::socket(AF_UNIX, SOCK_STREAM, 0); }, false, false, false},
      {"fork", [] { ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }, false, false, false},
      {"execve", [] { ::syscall(SYS_execve, "/bin/true", 0, 0); }, false, false, false},
      {"ptrace", [] { ::ptrace(PTRACE_TRACEME, 0, 0, 0); }, false, false, false},
      {"kill", [] { ::kill(1, 0); }, false, false, false},
      {"unshare", [] { ::unshare(CLONE_NEWUSER); }, false, false, false},
      {"chroot", [] { ::syscall(SYS_chroot, "."); }, false, false, false},
      {"mount", [] { ::syscall(SYS_mount, 0, 0, 0, 0, 0); }, false, false, false},
      {"setns", [] { ::setns(-1, 0); }, false, false, false},
      {"bpf", [] { ::syscall(SYS_bpf, 0, 0, 0); }, false, false, false},
      {"open_by_handle_at", [] { ::syscall(SYS_open_by_handle_at, -1, 0, 0); }, false, false, false},
      {"setuid", [] { ::syscall(SYS_setuid, 0); }, false, false, false},
      {"ioctl", [] { ::syscall(SYS_ioctl, 0, 0, 0); }, false, false, false},
      {"32-bit call", [] { asm volatile("int $0x80" ::"a"(20)
                                        : "memory"); }, false, false, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    CHECK(end_of(ImporterRole::expand, row.call) == (row.expand ? 0 : SIGSYS));
    CHECK(end_of(ImporterRole::compress, row.call) == (row.expand ? 0 : SIGSYS));
    CHECK(end_of(ImporterRole::unpack, row.call) == (row.unpack ? 0 : SIGSYS));
    CHECK(end_of(ImporterRole::pack, row.call) == (row.pack ? 0 : SIGSYS));
  }
}
