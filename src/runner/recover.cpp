// After a start: what runs still is adopted, what was running and is not is stopped, what nobody knows is destroyed.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>

#include "os/file.h"
#include "runner/sandbox_state.h"
#include "runtime/strays.h"

namespace sebring::runner {
namespace {

bool answers(const std::string& socket) {
  UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!connection || socket.size() >= sizeof address.sun_path) return false;
  socket.copy(address.sun_path, socket.size());
  return ::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

void kill_quietly(pid_t pid) {
  if (auto pidfd = os::open_pidfd(pid)) (void)os::signal_pidfd(pidfd->get(), SIGKILL);
}

}  // namespace

// Recorded pid -> pidfd -> the same start time (read after the pidfd was opened, so what is compared is what is held)
// -> its cgroup -> its socket answers.
bool Sandboxes::adopt(Record record) {
  auto& host = parts_.host;
  if (record.boot_id != host.boot_id() || record.pid <= 0) return false;
  auto pidfd = os::open_pidfd(record.pid);
  if (!pidfd || os::start_time(record.pid) != record.start_time || os::wait_pidfd(pidfd->get(), 0)) return false;
  std::string group = runtime::name_of(record.index);
  auto groups = os::read_at(AT_FDCWD, "/proc/" + std::to_string(record.pid) + "/cgroup", 16384);
  std::string ours = "/sebring-" + host.config().instance + "/";
  if (!groups || groups->find(ours) == std::string::npos || !answers(host.socket_path(record.index))) return false;
  if (!host.leases().adopt(record.index)) return false;
  auto sandbox = std::make_shared<Sandbox>(parts_.executor);
  runtime::Container container;
  container.index = record.index;
  container.pid = record.pid;
  container.start_time = record.start_time;
  container.pidfd = std::move(*pidfd);
  container.socket = host.socket_path(record.index);
  container.upper = record.disk;
  container.network = record.network;
  // Keeps the last close of its root out of the exit of PID 1.
  if (auto root = os::open_at(AT_FDCWD, "/proc/" + std::to_string(record.pid) + "/root", O_PATH | O_DIRECTORY))
    container.held.push_back(std::move(*root));
  host.cpus().choose(record.index, record.limits.cpus);
  // A death between freezing and writing it down must not leave a sandbox that runs by its record and stands still.
  record.paused = host.cgroups().is_frozen(group);
  sandbox->record = std::move(record);
  sandbox->container.emplace(std::move(container));
  sandboxes_[sandbox->record.id] = sandbox;
  (void)watch(sandbox);
  return true;
}

Result<void> Sandboxes::recover(std::map<std::string, Record> records, bool ended_by_stop) {
  std::vector<std::string> disks;
  std::size_t adopted = 0, stopped = 0;
  for (auto& [disk, record] : records) {
    if (record.state == State::deleting || !parts_.host.pool().has_upper(disk)) {
      // A delete that was interrupted, or a disk that was never made.
      if (record.pid > 0 && record.boot_id == parts_.host.boot_id() && os::start_time(record.pid) == record.start_time)
        kill_quietly(record.pid);
      parts_.journal.append_gone(disk);
      continue;
    }
    disks.push_back(disk);
    bool was_running = record.state == State::running;
    if (was_running && adopt(record)) {
      ++adopted;
      continue;
    }
    if (was_running) {
      bool rebooted = record.boot_id != parts_.host.boot_id();
      if (rebooted || !ended_by_stop)
        record.cause =
            Cause{.kind = rebooted ? "reboot" : "toolbox_died",
                  .message = rebooted ? "The machine was restarted" : "The sandbox ended while its runner was away"};
      record.state = State::stopped;
      record.paused = false;
      parts_.journal.append(record);
      ++stopped;
    }
    auto sandbox = std::make_shared<Sandbox>(parts_.executor);
    sandbox->record = record;
    sandboxes_[record.id] = sandbox;
  }
  if (adopted + stopped > 0)
    std::fprintf(stderr, "runner: %zu sandboxes adopted, %zu found stopped\n", adopted, stopped);
  runtime::Known known;
  known.disks = {disks.begin(), disks.end()};
  for (const auto& [id, sandbox] : sandboxes_) {
    if (!sandbox->container) continue;
    known.indices.insert(sandbox->container->index);
    known.pids.insert(sandbox->container->pid);
  }
  runtime::destroy_strays(parts_.host, parts_.cleanup, known);
  restore_groups();
  remove_unfinished();
  return {};
}

}  // namespace sebring::runner
