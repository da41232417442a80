#include "runtime/strays.h"

#include <fcntl.h>
#include <signal.h>

#include <optional>

#include "base/text.h"
#include "os/file.h"
#include "os/link.h"
#include "os/pidfd.h"

namespace sebring::runtime {
namespace {

std::optional<Index> index_of(std::string_view text) {
  auto number = parse_integer(text);
  if (!number || *number < kIndexMin || *number > kIndexMax) return std::nullopt;
  return static_cast<Index>(*number);
}

void kill_quietly(pid_t pid) {
  if (auto pidfd = os::open_pidfd(pid)) (void)os::signal_pidfd(pidfd->get(), SIGKILL);
}

std::set<Index> find_indices(Host& host) {
  std::set<Index> found;
  auto see = [&](std::optional<Index> index) {
    if (index) found.insert(*index);
  };
  for (const auto& name : host.cgroups().list()) see(index_of(name));
  for (const auto& name : host.own_files().list()) see(index_of(name));
  if (auto sockets = os::list_dir_at(AT_FDCWD, host.config().run_dir + "/sb"))
    for (const auto& name : *sockets)
      if (name.ends_with(".sock")) see(index_of(std::string_view(name).substr(0, name.size() - 5)));
  for (auto first : host.leases().chunks())
    for (auto index = first; index < first + kChunk; ++index)
      if (os::link_index(link_of(index)) != 0) see(index);
  return found;
}

}  // namespace

void destroy_strays(Host& host, Cleanup& cleanup, const Known& known) {
  if (auto wires = host.open_wires(); wires && wires->netfilter)
    host.firewall()->keep_only(*wires->netfilter, [&](Index index) { return host.leases().owns(index); });
  for (pid_t pid : host.cgroups().toolboxes())
    if (!known.pids.contains(pid)) kill_quietly(pid);
  for (auto index : find_indices(host)) {
    if (known.indices.contains(index)) continue;
    if (auto processes = host.cgroups().processes(name_of(index)))
      for (pid_t pid : *processes) kill_quietly(pid);
    (void)host.cgroups().freeze(name_of(index), false);  // what was paused does not die before (version 1)
    host.leases().adopt(index);
    Leftover leftover;
    leftover.index = index;
    cleanup.dispose(std::move(leftover));
  }
  for (const auto& disk : host.pool().uppers()) {
    if (known.disks.contains(disk)) continue;
    Leftover leftover;
    leftover.upper = disk;
    cleanup.dispose(std::move(leftover));
  }
}

}  // namespace sebring::runtime
