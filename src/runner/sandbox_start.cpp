#include <boost/json.hpp>

#include "image/importer.h"
#include "os/file.h"
#include "runner/sandbox_state.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

constexpr int kSlotMilliseconds = 25'000;  // control gives a call 30 s
constexpr int kSlotsEndedMax = 3;          // of somebody who kills or stops processes while a sandbox is made of them

// FNV-1a; only tells whether the texts have changed since the last start.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 1469598103934665603u;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash | 1;
}

Result<std::vector<std::string>> layer_paths(const std::vector<std::string>& digests) {
  std::vector<std::string> paths;
  for (const auto& digest : digests) {
    SB_TRY(auto hex, image::digest_hex(digest));
    paths.push_back("layers/" + hex);
  }
  return paths;
}

// A machine of its own: the id without its dashes, so that it stays the same from start to start.
std::string machine_id_of(std::string id) {
  std::erase(id, '-');
  return id.size() == 32 ? id : std::string();
}

struct StartOutcome {
  runtime::Container container;
  Record record;
};

// What one start needs, copied out of the event loop's hands.
struct StartJob {
  Record record;  // with everything but the container's numbers; no disk: a new one
  runtime::StartSpec spec;
  std::string base;  // snapshot that a new disk is copied from
  bool fresh = false;
};

}  // namespace

// In words that say what to do; later it would be a missing file of a name that nobody knows.
static Result<void> check_image(const image::Pool& pool, const StartJob& job) {
  for (const auto& layer : job.spec.layers)
    if (!os::exists_at(pool.root(), layer))
      return fail(Errc::gone, "its image is not on this machine any more (" + layer +
                                  "); import that again and recover the sandbox");
  if (job.fresh && !job.base.empty() && !pool.has_snapshot(job.base))
    return fail(Errc::gone, "its snapshot is not on this machine any more (" + job.base + ")");
  return {};
}

static Result<void> copy_base(Sandboxes::Parts& parts, StartJob& job) {
  job.record.disk = runtime::Host::new_upper_name();
  Journal::Ticket intent = parts.journal.append(job.record);
  SB_CHECK(parts.journal.wait_durable(intent));
  auto copied = parts.host.pool().create_upper_from_snapshot(job.base, job.record.disk, job.spec.limits.disk_bytes);
  if (!copied) {
    parts.journal.append_gone(job.record.disk);
    return std::unexpected(std::move(copied).error());
  }
  job.spec.upper = job.record.disk;
  job.spec.write_files = true;
  return {};
}

// The journal has the whole record before the container exists, and is being synced while it starts.
static Result<StartOutcome> start_in_slot(Sandboxes::Parts& parts, StartJob job, runtime::Host::Wires& wires) {
  Record stopped = job.record;  // what holds when this fails
  auto slot = parts.slots.take(job.spec.layers, !job.spec.upper.empty(), job.spec.limits, kSlotMilliseconds);
  if (!slot) return std::unexpected(std::move(slot).error());
  if (job.spec.upper.empty()) job.record.disk = slot->upper;
  job.record.state = State::running;
  job.record.index = slot->index;
  job.record.pid = slot->pid;
  job.record.start_time = slot->start_time;
  job.record.boot_id = parts.host.boot_id();
  job.record.started_at_ms = system_clock().wall_ms();
  job.record.cause.reset();
  Journal::Ticket ticket = parts.journal.append(job.record);
  auto container = runtime::start_container(parts.host, wires, parts.cleanup, std::move(*slot), job.spec);
  if (!container) {
    if (job.spec.upper.empty())
      parts.journal.append_gone(job.record.disk);
    else
      parts.journal.append(stopped);
    return std::unexpected(std::move(container).error());
  }
  if (!container->unused_upper.empty()) parts.slots.give_back_upper(std::move(container->unused_upper));
  // A new disk's owner must be known before anybody may rely on what is written to it. A known disk's is.
  if (job.fresh) {
    if (auto durable = parts.journal.wait_durable(ticket); !durable) {
      parts.cleanup.dispose(leftover_of(std::move(*container), true));
      return std::unexpected(std::move(durable).error());
    }
  }
  return StartOutcome{std::move(*container), std::move(job.record)};
}

// On a worker.
static Result<StartOutcome> run_start(Sandboxes::Parts& parts, StartJob& job, runtime::Host::Wires& wires) {
  SB_CHECK(check_image(parts.host.pool(), job));
  if (job.fresh && !job.base.empty()) SB_CHECK(copy_base(parts, job));
  for (int tries = kSlotsEndedMax;; --tries) {
    auto outcome = start_in_slot(parts, job, wires);
    if (outcome || outcome.error().tag() != runtime::kSlotEnded || tries == 0) return outcome;
    parts.slots.drop_unfit_slots();
  }
}

asio::awaitable<Result<void>> Sandboxes::start(Handle sandbox, Spec spec) {
  if (!spec.linked_to.empty() && !parts_.host.firewall())
    co_return fail(Errc::not_implemented,
                   "linked sandboxes need a network, which this machine lacks: " + parts_.host.network_complaint());
  StartJob job;
  job.fresh = sandbox->record.disk.empty();
  job.base = spec.base;
  job.record = sandbox->record;
  if (job.record.layers.empty()) job.record.layers = spec.layers;  // a disk keeps what it was made on
  job.record.limits = spec.limits;
  job.record.hostname = spec.hostname;
  job.record.hosts = spec.hosts;
  job.record.network = spec.network;
  job.record.linked_to = spec.linked_to;
  std::uint64_t files = hash_of(runtime::hosts_text(spec.hostname, spec.hosts) + parts_.host.resolv_conf());
  SB_CO_TRY(job.spec.layers, layer_paths(job.record.layers));
  job.spec.upper = sandbox->record.disk;
  job.spec.limits = spec.limits;
  job.spec.limits.disk_bytes += sandbox->record.disk_held_bytes;
  job.spec.hostname = spec.hostname;
  job.spec.machine_id = machine_id_of(sandbox->record.id);
  job.spec.hosts = spec.hosts;
  job.spec.network = spec.network;
  job.spec.configuration = spec.toolbox;
  job.spec.write_files = !job.fresh && files != sandbox->record.files_written;
  job.record.files_written = files;
  // The root of its last life may not be unmounted yet, which takes a sync of the pool. All its processes have ended,
  // so nobody uses that mount any more, and overlayfs does not mind a second one on the same upper then.
  auto outcome =
      co_await parts_.starters.run([&](runtime::Host::Wires& wires) { return run_start(parts_, job, wires); });
  if (!outcome) {
    if (job.fresh && !job.spec.upper.empty()) {  // the copy of a snapshot is nobody's now
      runtime::Leftover leftover;
      forget_later(job.spec.upper, leftover);
      parts_.cleanup.dispose(std::move(leftover));
    }
    co_return std::unexpected(std::move(outcome).error());
  }
  sandbox->record = std::move(outcome->record);
  sandbox->container.emplace(std::move(outcome->container));
  if (watch(sandbox)) co_return join_group(*sandbox);
  sandbox->record.state = State::stopped;
  runtime::Leftover leftover = leftover_of(std::move(*sandbox->container), false);
  sandbox->container.reset();
  if (job.fresh) {
    forget_later(sandbox->record.disk, leftover);
    sandbox->record.disk.clear();
  } else {
    parts_.journal.append(sandbox->record);
  }
  parts_.cleanup.dispose(std::move(leftover));
  co_return fail(Errc::exhausted, "the runner has no free descriptor");
}

asio::awaitable<Result<bj::object>> Sandboxes::ensure_running(std::string id, Spec spec) {
  if (closed_) co_return fail(Errc::unavailable, "the runner is ending");
  if (!is_sandbox_id(id)) co_return fail(Errc::invalid_argument, "not an id of a sandbox: " + id);
  Locked locked = co_await lock_or_make(id);
  Handle sandbox = locked.sandbox;
  if (sandbox->container) {
    if (sandbox->life && sandbox->life->ended) co_return fail(Errc::unavailable, "sandbox " + id + " has just ended");
    SB_CO_CHECK(join_group(*sandbox));
    co_return report_of(*sandbox);
  }
  bool fresh = sandbox->record.disk.empty();
  Result<void> started = fresh && spec.must_exist
                             ? Result<void>(fail(Errc::not_found, "this runner has no disk of sandbox " + id))
                             : co_await start(sandbox, std::move(spec));
  if (started) co_return report_of(*sandbox);
  if (sandbox->record.disk.empty()) {
    sandbox->removed = true;
    sandboxes_.erase(id);
  }
  co_return fail(about_room(std::move(started).error()).while_doing("start sandbox " + id));
}

}  // namespace sebring::runner
