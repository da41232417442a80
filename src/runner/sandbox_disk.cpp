// Limits and copies of disks.
#include <boost/json.hpp>

#include "runner/sandbox_state.h"

namespace sebring::runner {

namespace bj = boost::json;

asio::awaitable<Result<bj::object>> Sandboxes::set_limits(std::string id, LimitsChange change) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  Record record = sandbox->record;
  if (change.cpus) record.limits.cpus = *change.cpus;
  if (change.memory_bytes) record.limits.memory_bytes = *change.memory_bytes;
  if (change.disk_bytes) record.limits.disk_bytes = *change.disk_bytes;
  auto applied = co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<void> {
    if (change.disk_bytes)
      SB_CHECK(parts_.host.pool().set_limit(record.disk, record.limits.disk_bytes + record.disk_held_bytes));
    if (sandbox->container) return runtime::apply_limits(parts_.host, record.index, record.limits);
    return {};
  });
  SB_CO_CHECK(std::move(applied));
  sandbox->record = std::move(record);
  Journal::Ticket ticket = parts_.journal.append(sandbox->record);
  SB_CO_CHECK(co_await wait_durable(ticket));
  co_return report_of(*sandbox);
}

asio::awaitable<Result<bj::object>> Sandboxes::set_network(std::string id, runtime::NetworkPolicy policy) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  if (sandbox->container) {
    auto changed = co_await parts_.workers.run([&](runtime::Host::Wires& wires) -> Result<void> {
      if (!wires.netfilter) return {};  // no network at all: stricter than any policy
      return parts_.host.firewall()->set_policy(*wires.netfilter, sandbox->record.index, sandbox->record.network,
                                                policy);
    });
    SB_CO_CHECK(std::move(changed));
    sandbox->container->network = policy;
  }
  sandbox->record.network = std::move(policy);
  Journal::Ticket ticket = parts_.journal.append(sandbox->record);
  SB_CO_CHECK(co_await wait_durable(ticket));
  co_return report_of(*sandbox);
}

asio::awaitable<Result<Usage>> Sandboxes::usage(std::string id) {
  Handle sandbox = find(id);
  if (!sandbox || sandbox->record.disk.empty()) co_return fail(Errc::not_found, "this runner has no sandbox " + id);
  std::string disk = sandbox->record.disk, group = sandbox->container ? runtime::name_of(sandbox->record.index) : "";
  co_return co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<Usage> {
    Usage usage;
    if (!group.empty())
      if (auto groups = parts_.host.cgroups().usage(group)) usage.groups = *groups;
    SB_TRY(usage.disk_bytes, parts_.host.pool().usage(disk));
    return usage;
  });
}

asio::awaitable<Result<bj::object>> Sandboxes::fork(std::string id, ForkOrder order) {
  // Copies of one disk that are made at once share a commit of the file system.
  SB_CO_TRY(auto locked, co_await lock(id, Gate::Kind::together));
  Handle parent = locked.sandbox;
  if (order.new_id == id) co_return fail(Errc::conflict, "a sandbox cannot be its own fork");
  if (Handle existing = find(order.new_id); existing && !existing->removed && !existing->record.disk.empty())
    co_return report_of(*existing);  // asked again after a cut connection
  Locked made = co_await lock_or_make(order.new_id);
  Handle child = made.sandbox;
  if (!child->record.disk.empty()) co_return report_of(*child);
  Record record = parent->record;
  record.id = order.new_id;
  record.disk = runtime::Host::new_upper_name();
  record.state = State::stopped;
  record.disk_held_bytes = 0;
  record.files_written = 0;  // its name is another one
  record.index = 0;
  record.pid = -1;
  record.paused = false;
  record.cause.reset();
  if (order.disk_bytes) record.limits.disk_bytes = order.disk_bytes;
  const std::string disk = parent->record.disk;
  const std::uint64_t limit = parent->record.limits.disk_bytes;
  std::uint64_t held = 0;
  auto copied = co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<void> {
    auto& pool = parts_.host.pool();
    // The record goes to the disk beside the copy: after a crash one without the other is removed.
    const auto recorded = parts_.journal.append(record);
    auto done = pool.copy_upper(disk, record.disk, record.limits.disk_bytes);
    if (done) {
      done = parts_.journal.wait_durable(recorded);
      if (!done) (void)pool.destroy_upper(record.disk);
    }
    if (!done) {
      parts_.journal.append_gone(record.disk);
      return done;
    }
    // What the child holds still counts as the parent's.
    if (pool.quotas() == os::btrfs::Quotas::simple) {
      SB_TRY(held, pool.usage(disk));
      SB_CHECK(pool.set_limit(disk, limit + held));
    }
    return {};
  });
  if (!copied) {
    child->removed = true;
    sandboxes_.erase(order.new_id);
    co_return fail(about_room(std::move(copied).error()).while_doing("fork sandbox " + id));
  }
  if (held != 0 && held != parent->record.disk_held_bytes) {
    parent->record.disk_held_bytes = held;
    parts_.journal.append(parent->record);
  }
  child->record = std::move(record);
  co_return report_of(*child);
}

asio::awaitable<Result<Sandboxes::SnapshotMade>> Sandboxes::snapshot(std::string id, std::string name) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  co_return co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<SnapshotMade> {
    auto& pool = parts_.host.pool();
    if (!pool.has_snapshot(name))
      if (auto made = pool.make_snapshot(sandbox->record.disk, name); !made)
        return fail(about_room(std::move(made).error()));
    SB_TRY(auto bytes, pool.usage(sandbox->record.disk));
    return SnapshotMade{name, bytes};
  });
}

asio::awaitable<Result<void>> Sandboxes::remove_snapshot(std::string name) {
  runtime::Leftover leftover;
  leftover.snapshot = name;
  parts_.cleanup.dispose(std::move(leftover));
  co_return Result<void>{};
}

}  // namespace sebring::runner
