#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>

#include "os/passing.h"
#include "slot/parts.h"
#include "slot/slot.h"

namespace sebring::slot {
namespace {

// The runner is gone, or never wanted us: nothing to report to anybody.
[[noreturn]] void leave() { ::_exit(0); }

void report(const Result<void>& outcome) {
  Report answer{};
  answer.ok = outcome.has_value();
  if (!outcome) {
    answer.os_errno = outcome.error().os_errno();
    std::strncpy(answer.message, outcome.error().message().c_str(), sizeof answer.message - 1);
  }
  if (!os::send_message(kControlFd, {reinterpret_cast<char*>(&answer), sizeof answer})) leave();
  if (!outcome) ::_exit(1);
}

template <class Body>
Body read_order(const os::Message& message) {
  Body body;
  if (message.data.size() < sizeof body) ::_exit(1);
  std::memcpy(&body, message.data.data(), sizeof body);
  return body;
}

os::Message receive(std::size_t bytes_max) {
  auto message = os::receive_message(kControlFd, bytes_max);
  if (!message || message->ended) leave();
  return std::move(*message);
}

void say_hello(pid_t pid) {
  Hello hello{pid};
  if (!os::send_message(kControlFd, {reinterpret_cast<char*>(&hello), sizeof hello})) leave();
}

// Executed in the initial user namespace, so that this memory belongs to it for good: no ptrace, /proc/1/mem or
// pidfd_getfd from inside, by root neither. The copy made by clone keeps that, and as CLONE_PARENT is a child of the
// runner, not of this process, which ends.
Result<void> join_namespaces() {
  auto begin = read_order<Begin>(receive(sizeof(Begin)));
  // Making the namespace as that id must not cost the right to make it; raw calls, as in any single-threaded program.
  if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 ||
      ::setresgid(begin.owner_id, begin.owner_id, begin.owner_id) < 0 ||
      ::setresuid(begin.owner_id, begin.owner_id, begin.owner_id) < 0)
    return fail_errno(errno, "become the owner of the namespaces");
  if (::unshare(CLONE_NEWUSER) < 0) return fail_errno(errno, "make a user namespace");
  say_hello(0);
  receive(1);
  if (::setresgid(0, 0, 0) < 0 || ::setresuid(0, 0, 0) < 0 || ::setgroups(0, nullptr) < 0)
    return fail_errno(errno, "become root inside");
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWPID) < 0)
    return fail_errno(errno, "make namespaces");
  long pid = ::syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);
  if (pid < 0) return fail_errno(errno, "start PID 1");
  if (pid > 0) {
    say_hello(static_cast<pid_t>(pid));
    leave();
  }
  return {};
}

Result<UniqueFd> prepare_in_slot() {
  os::Message message = receive(sizeof(Prepare));
  auto order = read_order<Prepare>(message);
  if (message.fds.size() != kPrepareFds && message.fds.size() != kPrepareFds + 1) ::_exit(1);
  if (message.fds.size() > kPrepareFds && ::write(message.fds[kPrepareFds].get(), "0", 1) != 1)
    return fail_errno(errno, "join the memory group of the toolboxes");
  return prepare(order, message.fds[0], message.fds[1], message.fds[2]);
}

// Maps what is shared of this program into this process. The first requests would do it piece by piece, and somebody
// waits for those. Costs page tables, no memory of its own; nothing depends on its success.
void map_own_program() {
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void*) {
        for (const ElfW(Phdr) & part : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
          if (part.p_type != PT_LOAD || (part.p_flags & PF_W)) continue;
          const std::uintptr_t page = 4095;
          const std::uintptr_t first = (info->dlpi_addr + part.p_vaddr) & ~page;
          const std::uintptr_t last = (info->dlpi_addr + part.p_vaddr + part.p_memsz + page) & ~page;
          (void)::madvise(reinterpret_cast<void*>(first), last - first, MADV_POPULATE_READ);
        }
        return 0;
      },
      nullptr);
}

Result<Entered> take_order(os::Message& message, UniqueFd& root) {
  auto order = read_order<Enter>(message);
  std::string_view rest = std::string_view(message.data).substr(sizeof order);
  if (rest.size() != std::size_t{order.hosts_bytes} + order.resolv_bytes + order.configuration_bytes)
    return fail(Errc::internal, "the order has a wrong length");
  EnterTexts texts{rest.substr(0, order.hosts_bytes), rest.substr(order.hosts_bytes, order.resolv_bytes)};
  Entered entered;
  entered.configuration = rest.substr(std::size_t{order.hosts_bytes} + order.resolv_bytes);
  entered.cgroup_version = order.cgroup_version;
  std::size_t next = 0;
  for (auto [bit, into] : {std::pair<EnterFd, UniqueFd*>{kRoot, &root},
                           {kListening, &entered.listening},
                           {kUserCgroup, &entered.user_cgroup},
                           {kMemoryDirectory, &entered.memory_cgroup},
                           {kGitHelper, &entered.git_helper}}) {
    if (!(order.fds & bit)) continue;
    if (next == message.fds.size()) return fail(Errc::internal, "the order lacks a descriptor");
    *into = std::move(message.fds[next++]);
  }
  SB_CHECK(enter(order, root, texts));
  return entered;
}

}  // namespace

Result<Entered> wait_in_slot(const CheckConfiguration& check) {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::umask(022);
  ::signal(SIGPIPE, SIG_IGN);
  if (auto joined = join_namespaces(); !joined) {
    report(joined);
  }
  ::prctl(PR_SET_DUMPABLE, 0);
  auto devpts = prepare_in_slot();
  report(devpts ? Result<void>{} : Result<void>(std::unexpected(devpts.error())));

  // What needs no order is done while nobody waits for it.
  UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  map_own_program();
  os::Message message = receive(kMessageBytesMax);  // the wait in the pool
  UniqueFd root;
  auto entered = take_order(message, root);
  if (entered && check) {
    if (auto good = check(entered->configuration); !good) entered = std::unexpected(std::move(good).error());
  }
  // Answer first: a request waits in the socket's backlog meanwhile, and this takes as long as the way here.
  report(entered ? Result<void>{} : Result<void>(std::unexpected(entered.error())));
  SB_CHECK(drop_privileges());
  if (::chdir("/") < 0) return fail_errno(errno, "enter /");
  ::close(kControlFd);
  entered->devpts = std::move(*devpts);
  entered->self_executable = std::move(self);
  return entered;
}

}  // namespace sebring::slot
