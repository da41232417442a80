#include "toolbox/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "toolbox/raw_syscall.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kStackBytes =
    kGuardBytes + 32 * 1024;  // the child needs less than 2 KiB; pages untouched cost nothing
constexpr std::size_t kSpareStacksMax = 2;
constexpr int kLastSignal = 64;
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct KernelSigaction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  unsigned long mask;
};

template <class T>
long word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

// Instrumented code would look at the stack of a thread that this is not.
#define SB_CHILD __attribute__((no_sanitize("address", "undefined"))) __attribute__((no_stack_protector))

[[noreturn]] SB_CHILD void fail_child(int status, SpawnStep step, long negative_errno) {
  SpawnFailure failure{step, static_cast<int>(-negative_errno)};
  raw_syscall(SYS_write, status, word(&failure), sizeof failure);
  for (;;) raw_syscall(SYS_exit_group, 127);
}

// Handlers of the daemon must never run here: its memory is shared. They are reset before the mask is opened again.
// What the daemon ignores (SIGPIPE) would be ignored by the program too.
SB_CHILD void reset_signals() {
  KernelSigaction default_action;
  default_action.handler = nullptr;
  default_action.flags = 0;
  default_action.restorer = nullptr;
  default_action.mask = 0;
  for (int number = 1; number <= kLastSignal; ++number) {
    raw_syscall(SYS_rt_sigaction, number, word(&default_action), 0, sizeof(unsigned long));
  }
}

// Moves the descriptors out of 0..2 first, so that none is overwritten before it is copied. Everything else is closed
// by the exec (not before it: the executable itself and the status pipe are among them).
SB_CHILD long set_stdio(const int* wanted) {
  long moved[3];
  for (int i = 0; i < 3; ++i) {
    moved[i] = wanted[i] > 2 ? wanted[i] : raw_syscall(SYS_fcntl, wanted[i], F_DUPFD_CLOEXEC, 3);
    if (moved[i] < 0) return moved[i];
  }
  for (int i = 0; i < 3; ++i) {
    if (long r = raw_syscall(SYS_dup3, moved[i], i, 0); r < 0) return r;
  }
  return raw_syscall(SYS_close_range, 3, word(~0U), CLOSE_RANGE_CLOEXEC);
}

// Raw calls: libc's would make every thread of the daemon follow.
SB_CHILD long take_identity(uid_t uid, gid_t gid, const gid_t* groups, std::size_t count) {
  long r = raw_syscall(SYS_setgroups, word(count), word(groups));
  if (r == 0) r = raw_syscall(SYS_setresgid, gid, gid, gid);
  if (r == 0) r = raw_syscall(SYS_setresuid, uid, uid, uid);
  return r;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::string_view path_variable(const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    if (entry.starts_with("PATH=")) return std::string_view(entry).substr(5);
  }
  return kDefaultPath;
}

std::vector<std::string> search_path(const StartSpec& spec) {
  std::vector<std::string> paths;
  if (spec.argv.empty() || spec.argv[0].empty()) return paths;
  if (spec.argv[0].find('/') != std::string::npos) return {spec.argv[0]};
  for (std::string_view directory : split(path_variable(spec.environment), ':')) {
    if (directory.empty()) directory = ".";
    paths.push_back(std::string(directory) + "/" + spec.argv[0]);
  }
  return paths;
}

// Stacks of children that have let go of them. A mapping made and taken away costs as much as a tenth of a shell's
// start.
std::vector<void*>& spare_stacks() {
  static std::vector<void*> stacks;  // of the one thread that starts programs
  return stacks;
}

void free_stack(void* stack) {
  if (spare_stacks().size() < kSpareStacksMax) {
    spare_stacks().push_back(stack);
  } else {
    ::munmap(stack, kStackBytes);
  }
}

}  // namespace

std::string_view spawn_step_name(SpawnStep step) {
  switch (step) {
    case SpawnStep::none:
      return "start";
    case SpawnStep::clone:
      return "make a process";
    case SpawnStep::cgroup:
      return "join the cgroup";
    case SpawnStep::session:
      return "make a session";
    case SpawnStep::terminal:
      return "take the terminal";
    case SpawnStep::stdio:
      return "set up standard streams";
    case SpawnStep::identity:
      return "change user";
    case SpawnStep::cwd:
      return "enter the working directory";
    case SpawnStep::exec:
      return "execute";
  }
  return "start";
}

Launch::Launch(StartSpec spec, int cgroup_file, int null_device)
    : spec_(std::move(spec)),
      cgroup_file_(cgroup_file),
      change_identity_(::geteuid() == 0 || spec_.uid != ::geteuid()) {
  for (int i = 0; i < 3; ++i) stdio_[i] = spec_.stdio[i] >= 0 ? spec_.stdio[i] : null_device;
  paths_ = spec_.candidates.empty() && spec_.executable < 0 ? search_path(spec_) : spec_.candidates;
  for (const std::string& path : paths_) path_pointers_.push_back(path.c_str());
  argv_ = pointers(spec_.argv);
  environment_ = pointers(spec_.environment);
}

Launch::~Launch() {
  SB_ASSERT(finished());
  if (stack_) free_stack(stack_);
}

bool Launch::map_stack() {
  if (!spare_stacks().empty()) {
    stack_ = spare_stacks().back();
    spare_stacks().pop_back();
    return true;
  }
  void* stack = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) return false;
  ::mprotect(stack, kGuardBytes, PROT_NONE);
  stack_ = stack;
  return true;
}

SB_CHILD void Launch::entry(void* self) { static_cast<const Launch*>(self)->child(); }

SB_CHILD void Launch::child() const {
  reset_signals();
  if (cgroup_file_ >= 0) {
    char zero = '0';
    if (long r = raw_syscall(SYS_write, cgroup_file_, word(&zero), 1); r < 0) fail_child(status_, SpawnStep::cgroup, r);
  }
  if (long r = raw_syscall(SYS_setsid); r < 0) fail_child(status_, SpawnStep::session, r);
  if (spec_.controlling_tty) {
    if (long r = raw_syscall(SYS_ioctl, stdio_[0], TIOCSCTTY, 0); r < 0) fail_child(status_, SpawnStep::terminal, r);
  }
  if (long r = set_stdio(stdio_); r < 0) fail_child(status_, SpawnStep::stdio, r);
  if (change_identity_) {
    const long r = take_identity(spec_.uid, spec_.gid, spec_.groups.data(), spec_.groups.size());
    if (r < 0) fail_child(status_, SpawnStep::identity, r);
  }
  if (long r = raw_syscall(SYS_chdir, word(spec_.cwd.c_str())); r < 0) fail_child(status_, SpawnStep::cwd, r);
  unsigned long nothing_blocked = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, word(&nothing_blocked), 0, sizeof nothing_blocked);
  long error = -ENOENT;
  if (spec_.executable >= 0) {
    error = raw_syscall(SYS_execveat, spec_.executable, word(""), word(argv_.data()), word(environment_.data()),
                        AT_EMPTY_PATH);
    fail_child(status_, SpawnStep::exec, error);
  }
  // The list is this launch's own; nobody else looks at it before the child has let go.
  char** argv = const_cast<char**>(argv_.data());
  const bool named_by_path = argv[0] && argv[0][0] == '\0';
  for (const char* path : path_pointers_) {
    if (named_by_path) argv[0] = const_cast<char*>(path);
    const long r = raw_syscall(SYS_execve, word(path), word(argv_.data()), word(environment_.data()));
    if (r != -ENOENT && r != -ENOTDIR && error == -ENOENT) error = r;
  }
  fail_child(status_, SpawnStep::exec, error);
}

pid_t Launch::clone_child(int status) {
  if (!map_stack()) return -errno;
  status_ = status;
  child_tid_.store(1, std::memory_order_relaxed);
  void* top = static_cast<char*>(stack_) + kStackBytes;
  unsigned long all = ~0UL;
  unsigned long before = 0;
  // Raw: libc keeps its own internal signals out of the mask, and one of those would run in the child.
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, word(&all), word(&before), sizeof all);
  // glibc's wrapper only moves to the stack and calls. Not clone3: the sandbox's filter refuses it.
  long pid = ::clone(
      [](void* self) -> int {
        entry(self);
        return 0;
      },
      top, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, this, nullptr, nullptr, &child_tid_);
  if (pid < 0) pid = -errno;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, word(&before), 0, sizeof before);
  if (pid < 0) child_tid_.store(0, std::memory_order_relaxed);
  return static_cast<pid_t>(pid);
}

}  // namespace sebring::toolbox
