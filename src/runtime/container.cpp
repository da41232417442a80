#include "runtime/container.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "os/file.h"
#include "os/passing.h"
#include "os/pidfd.h"
#include "slot/protocol.h"

namespace sebring::runtime {
namespace {

constexpr int kEnterMilliseconds = 20'000;
// While it does not answer, this often it is looked whether somebody has stopped it: it will not go on by itself.
constexpr int kStoppedLookMilliseconds = 250;
// A full disk cannot make overlayfs' work directory, and then comes up read-only.
constexpr std::uint64_t kMountReserve = 2 << 20;

Result<UniqueFd> root_on_existing_disk(Host& host, const Slot& slot, const StartSpec& spec) {
  RootSpec root{spec.layers, host.pool().upper_path(spec.upper)};
  SB_CHECK(host.pool().set_limit(spec.upper, spec.limits.disk_bytes + kMountReserve));
  auto made = make_root(slot.view, root, host.abilities(), slot.index);
  SB_CHECK(host.pool().set_limit(spec.upper, spec.limits.disk_bytes));
  return made;
}

// The slot's own upper has never been seen by anybody, so the host may write to it.
Result<void> write_first_files(Host& host, const Slot& slot, const StartSpec& spec) {
  std::string etc = host.pool().upper_path(slot.upper) + "/u/etc/";
  SB_CHECK(os::put_file_at(host.pool().root(), etc + "hostname", spec.hostname + "\n", 0644));
  return os::put_file_at(host.pool().root(), etc + "hosts", hosts_text(spec.hostname, spec.hosts), 0644);
}

Result<UniqueFd> root_on_fresh_disk(Host& host, Slot& slot, const StartSpec& spec) {
  if (spec.limits.disk_bytes != host.config().default_disk_bytes)
    SB_CHECK(host.pool().set_limit(slot.upper, spec.limits.disk_bytes));
  SB_CHECK(write_first_files(host, slot, spec));
  if (slot.root && slot.layers == spec.layers) return std::move(slot.root);
  // Made ahead for another image: one upper must not be mounted twice.
  slot.root.reset();
  return make_root(slot.view, {spec.layers, host.pool().upper_path(slot.upper)}, host.abilities(), slot.index);
}

Result<void> send_order(Host& host, const Slot& slot, const StartSpec& spec, int root) {
  slot::Enter order{};
  spec.hostname.copy(order.hostname, sizeof order.hostname - 1);
  order.shm_bytes = std::max<std::uint64_t>(spec.limits.memory_bytes / 2, 1 << 20);
  order.cgroup_version = host.cgroups().version();
  std::string hosts, resolv;
  if (spec.write_files) {
    order.files = slot::kWriteHosts | slot::kWriteResolv | slot::kWriteHostname;
    if (!spec.machine_id.empty()) order.files |= slot::kWriteMachineId;
    spec.machine_id.copy(order.machine_id, sizeof order.machine_id - 1);
    hosts = hosts_text(spec.hostname, spec.hosts);
    resolv = host.resolv_conf();
  }
  std::vector<int> fds{root, slot.listening.get()};
  order.fds = slot::kRoot | slot::kListening;
  if (slot.user_cgroup) {
    order.fds |= slot::kUserCgroup;
    fds.push_back(slot.user_cgroup.get());
  }
  order.fds |= slot::kMemoryDirectory;
  fds.push_back(slot.memory_directory.get());
  if (host.toolbox_git() >= 0) {
    order.fds |= slot::kGitHelper;
    fds.push_back(host.toolbox_git());
  }
  order.hosts_bytes = static_cast<std::uint32_t>(hosts.size());
  order.resolv_bytes = static_cast<std::uint32_t>(resolv.size());
  order.configuration_bytes = static_cast<std::uint32_t>(spec.configuration.size());
  std::string message(reinterpret_cast<char*>(&order), sizeof order);
  message += hosts + resolv + spec.configuration;
  if (message.size() > slot::kMessageBytesMax)
    return fail(Errc::too_large, "the sandbox's configuration is longer than 256 KiB");
  return os::send_message(slot.control.get(), message, fds);
}

Result<void> wait_until_entered(const Slot& slot) {
  for (int waited = 0;; waited += kStoppedLookMilliseconds) {
    auto report = read_report(slot.control.get(), kStoppedLookMilliseconds);
    const bool silent = !report && report.error().code() == Errc::timed_out;
    if (!silent || waited >= kEnterMilliseconds) return report;
    if (is_stopped(slot)) return fail(Errc::unavailable, "its daemon was stopped by a signal", kSlotEnded);
  }
}

Result<void> hand_over(Host& host, const Slot& slot, const StartSpec& spec, int root) {
  auto done = send_order(host, slot, spec, root);
  if (done) done = wait_until_entered(slot);
  if (done) return done;
  if (done.error().os_errno() == EPIPE || done.error().os_errno() == ECONNRESET)
    return fail(std::move(done).error().tagged(kSlotEnded));
  if (done.error().code() == Errc::timed_out)
    return fail(Errc::timed_out, "its daemon has not answered for " + std::to_string(kEnterMilliseconds / 1000) + " s");
  return done;
}

Result<UniqueFd> start(Host& host, Host::Wires& wires, Slot& slot, const StartSpec& spec) {
  if (!slot.limits || !slot.limits->same_groups(spec.limits)) SB_CHECK(apply_limits(host, slot.index, spec.limits));
  if (wires.netfilter && !spec.network.is_default())
    SB_CHECK(host.firewall()->set_policy(*wires.netfilter, slot.index, {}, spec.network));
  SB_TRY(auto root,
         spec.upper.empty() ? root_on_fresh_disk(host, slot, spec) : root_on_existing_disk(host, slot, spec));
  auto entered = hand_over(host, slot, spec, root.get());
  if (entered) return root;
  slot.root = std::move(root);
  if (auto words = last_words(slot.words.get()); !words.empty())
    return std::unexpected(std::move(entered).error().while_doing(words));
  return std::unexpected(std::move(entered).error());
}

}  // namespace

std::string hosts_text(const std::string& hostname, const std::vector<HostEntry>& hosts) {
  // The sandbox's own address changes with each start; 127.0.1.1 does not, as Debian does it.
  std::string text = "127.0.0.1\tlocalhost\n127.0.1.1\t" + hostname + "\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  for (const auto& entry : hosts) text += entry.address + "\t" + entry.name + "\n";
  return text;
}

Result<Container> start_container(Host& host, Host::Wires& wires, Cleanup& cleanup, Slot slot, const StartSpec& spec) {
  auto root = start(host, wires, slot, spec);
  if (!root) {
    cleanup.dispose(leftover_of(std::move(slot), true));
    return std::unexpected(std::move(root).error());
  }
  Container container;
  container.index = slot.index;
  container.pid = slot.pid;
  container.start_time = slot.start_time;
  container.pidfd = std::move(slot.pidfd);
  container.words = std::move(slot.words);
  container.socket = host.socket_path(slot.index);
  container.upper = spec.upper.empty() ? slot.upper : spec.upper;
  container.network = spec.network;
  container.attached_view = std::move(slot.view.attached_at);
  // The root's last close is the cleanup's too: without this reference the exit of PID 1 would sync the pool.
  container.held.push_back(std::move(*root));
  if (slot.view.mount) {
    // Not needed any more: overlayfs has its own. Its close waits for an RCU period, which the create would feel.
    Leftover view;
    view.close.push_back(std::move(slot.view.mount));
    view.patient = true;
    cleanup.dispose(std::move(view));
  }
  if (spec.upper.empty()) return container;
  // The slot's own disk was not needed. When a root has been made on it, that must be closed before.
  if (!slot.root) {
    container.unused_upper = std::move(slot.upper);
    return container;
  }
  Leftover unused;
  unused.close.push_back(std::move(slot.root));
  unused.upper = std::move(slot.upper);
  cleanup.dispose(std::move(unused));
  return container;
}

Result<std::vector<UserProcess>> user_processes(Host& host, const Container& container) {
  SB_TRY(auto pids, host.cgroups().processes(name_of(container.index)));
  std::vector<UserProcess> processes;
  for (pid_t pid : pids) {
    if (pid == container.pid || pid <= 0) continue;
    if (auto pidfd = os::open_pidfd(pid)) processes.push_back({pid, std::move(*pidfd)});
  }
  // A number may have passed to a stranger between the reading and the opening; nothing that was opened and is listed
  // still is one.
  SB_TRY(auto again, host.cgroups().processes(name_of(container.index)));
  std::erase_if(processes, [&](const UserProcess& process) {
    return std::find(again.begin(), again.end(), process.pid) == again.end();
  });
  return processes;
}

std::string last_words(int words) {
  constexpr std::size_t kLengthMax = 500;
  std::string text;
  char buffer[4096];
  for (ssize_t n; words >= 0 && (n = ::read(words, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > 2 * kLengthMax) text.erase(0, text.size() - kLengthMax);
  }
  if (text.size() > kLengthMax) text.erase(0, text.size() - kLengthMax);
  // Who has taken over the daemon may have said anything.
  text = to_valid_utf8(text);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return std::string(trim(text));
}

Leftover leftover_of(Container container, bool destroy_upper) {
  Leftover leftover;
  leftover.index = container.index;
  leftover.pidfd = std::move(container.pidfd);
  leftover.close = std::move(container.held);
  leftover.attached_view = std::move(container.attached_view);
  if (destroy_upper) leftover.upper = std::move(container.upper);
  return leftover;
}

Result<UniqueFd> socket_inside(const Container& container, int family) {
  thread_local UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own) return fail_errno(errno, "open this thread's network namespace");
  if (::setns(container.pidfd.get(), CLONE_NEWNET) < 0) return fail_errno(errno, "enter the sandbox's network");
  UniqueFd made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = errno;
  if (::setns(own.get(), CLONE_NEWNET) < 0) {
    // This thread would make the next sandbox's link in a stranger's network.
    SB_ASSERT(!"return to the host's network");
  }
  if (!made) return fail_errno(error, "make a socket in the sandbox's network");
  return made;
}

}  // namespace sebring::runtime
