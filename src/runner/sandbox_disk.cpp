// Limits, copies and files of disks.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "image/archive.h"
#include "os/file.h"
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
  SB_CO_TRY(auto locked, co_await lock(id));
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
  Record changed_parent = parent->record;
  auto copied = co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<void> {
    auto& pool = parts_.host.pool();
    SB_CHECK(parts_.journal.wait_durable(parts_.journal.append(record)));
    auto done = pool.copy_upper(changed_parent.disk, record.disk, record.limits.disk_bytes);
    if (!done) {
      parts_.journal.append_gone(record.disk);
      return done;
    }
    // What the child holds still counts as the parent's.
    if (pool.quotas() == os::btrfs::Quotas::simple) {
      SB_TRY(auto used, pool.usage(changed_parent.disk));
      changed_parent.disk_held_bytes = used;
      SB_CHECK(pool.set_limit(changed_parent.disk, changed_parent.limits.disk_bytes + used));
      parts_.journal.append(changed_parent);
    }
    return {};
  });
  if (!copied) {
    child->removed = true;
    sandboxes_.erase(order.new_id);
    co_return fail(std::move(copied).error().while_doing("fork sandbox " + id));
  }
  parent->record.disk_held_bytes = changed_parent.disk_held_bytes;
  child->record = std::move(record);
  co_return report_of(*child);
}

asio::awaitable<Result<Sandboxes::SnapshotMade>> Sandboxes::snapshot(std::string id, std::string name) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  co_return co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<SnapshotMade> {
    auto& pool = parts_.host.pool();
    if (!pool.has_snapshot(name)) SB_CHECK(pool.make_snapshot(sandbox->record.disk, name));
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

namespace {

// The object directory is control's, and what lies in it has been named by nobody else; still, no link is followed.
Result<UniqueFd> open_object(const std::string& directory, const std::string& path, int flags) {
  SB_TRY(auto root, os::open_dir(directory));
  return os::open_inside(root.get(), path, flags, 0640);
}

}  // namespace

asio::awaitable<Result<image::Archived>> Sandboxes::archive(std::string id, std::string path) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  if (parts_.objects_dir.empty()) co_return fail(Errc::not_implemented, "this runner has no object directory");
  co_return co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<image::Archived> {
    auto& pool = parts_.host.pool();
    // From a copy, since nothing may write meanwhile; it goes away afterwards, whatever happens.
    std::string copy = "archive-" + sandbox->record.disk;
    if (!pool.has_snapshot(copy)) SB_CHECK(pool.make_snapshot(sandbox->record.disk, copy));
    auto archived = [&]() -> Result<image::Archived> {
      SB_TRY(auto upper, os::open_at(pool.root(), pool.snapshot_path(copy), O_RDONLY | O_DIRECTORY));
      SB_TRY(auto output, open_object(parts_.objects_dir, path, O_WRONLY | O_CREAT | O_TRUNC));
      image::ArchiveRequest request;
      request.upper = upper.get();
      request.output = output.get();
      SB_TRY(auto made, image::archive_upper(request));
      if (::fsync(output.get()) < 0) return fail_errno(errno, "sync " + path);
      return made;
    }();
    runtime::Leftover leftover;
    leftover.snapshot = copy;
    parts_.cleanup.dispose(std::move(leftover));
    return archived;
  });
}

asio::awaitable<Result<bj::object>> Sandboxes::restore(std::string id, RestoreOrder order) {
  if (closed_) co_return fail(Errc::unavailable, "the runner is ending");
  if (!is_sandbox_id(id)) co_return fail(Errc::invalid_argument, "not an id of a sandbox: " + id);
  if (parts_.objects_dir.empty()) co_return fail(Errc::not_implemented, "this runner has no object directory");
  Locked locked = co_await lock_or_make(id);
  Handle sandbox = locked.sandbox;
  if (!sandbox->record.disk.empty()) co_return report_of(*sandbox);
  Record record = sandbox->record;
  record.disk = runtime::Host::new_upper_name();
  record.limits.disk_bytes = order.disk_bytes;
  // Until it is whole it is to be deleted: half a disk that a crash left must not pass for the sandbox's.
  record.state = State::deleting;
  auto restored = co_await parts_.workers.run([&](runtime::Host::Wires&) -> Result<void> {
    auto& pool = parts_.host.pool();
    SB_CHECK(parts_.journal.wait_durable(parts_.journal.append(record)));
    auto done = [&]() -> Result<void> {
      SB_CHECK(pool.create_upper(record.disk, order.disk_bytes));
      SB_TRY(auto input, open_object(parts_.objects_dir, order.path, O_RDONLY));
      SB_TRY(auto upper, os::open_at(pool.root(), pool.upper_path(record.disk), O_RDONLY | O_DIRECTORY));
      image::RestoreRequest request;
      request.input = input.get();
      request.sha256 = order.sha256;
      request.upper = upper.get();
      SB_CHECK(image::restore_upper(request));
      SB_CHECK(pool.sync());
      record.state = State::stopped;
      return parts_.journal.wait_durable(parts_.journal.append(record));
    }();
    if (done) return done;
    runtime::Leftover leftover;
    forget_later(record.disk, leftover);
    parts_.cleanup.dispose(std::move(leftover));
    return done;
  });
  if (!restored) {
    sandbox->removed = true;
    sandboxes_.erase(id);
    co_return fail(std::move(restored).error().while_doing("restore sandbox " + id));
  }
  sandbox->record = std::move(record);
  co_return report_of(*sandbox);
}

}  // namespace sebring::runner
