#include "control/create_sandbox.h"

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "control/linked_group.h"
#include "control/log.h"
#include "control/name_reservation.h"
#include "control/runner_spec.h"
#include "control/sandbox_change.h"
#include "control/sandbox_use_cases.h"
#include "model/names.h"
#include "model/network_rules.h"

namespace sebring::control {
namespace {

using model::Sandbox;
using model::SandboxState;

std::unexpected<Error> bad(std::string message) { return fail(Errc::invalid_argument, std::move(message)); }

Result<void> set_network(Sandbox& sandbox, const CreateSandbox& asked) {
  sandbox.network_block_all = asked.network_block_all;
  if (asked.network_allow_list && !trim(*asked.network_allow_list).empty()) {
    SB_TRY(auto networks, model::parse_network_list(*asked.network_allow_list));
    sandbox.network_allow_list = join(networks, ",");
  }
  if (asked.domain_allow_list && !trim(*asked.domain_allow_list).empty()) {
    SB_TRY(auto domains, model::parse_domain_list(*asked.domain_allow_list));
    return fail(Errc::not_implemented,
                "domainAllowList is not available in this version of sebring: networkAllowList takes addresses");
  }
  return {};
}

Result<void> set_intervals(Sandbox& sandbox, const CreateSandbox& asked, const model::Intervals& defaults) {
  model::Intervals& intervals = sandbox.intervals;
  intervals = defaults;
  if (asked.stop_minutes) {
    SB_TRY(intervals.stop, model::check_stop_interval(*asked.stop_minutes));
  }
  if (asked.pause_minutes) {
    SB_TRY(intervals.pause, model::check_pause_interval(*asked.pause_minutes));
    // Asking for one of the two leaves the default of the other out.
    if (intervals.pause > 0 && !asked.stop_minutes) intervals.stop = 0;
  }
  if (asked.archive_minutes) {
    SB_TRY(intervals.archive, model::check_archive_interval(*asked.archive_minutes));
  }
  if (asked.destroy_minutes) {
    SB_TRY(intervals.destroy, model::check_destroy_interval(*asked.destroy_minutes));
  }
  if (asked.ttl_minutes) {
    SB_TRY(intervals.ttl, model::check_ttl(*asked.ttl_minutes));
  }
  return model::check_together(intervals);
}

Result<void> check_names(const CreateSandbox& asked) {
  if (asked.name) SB_CHECK(model::check_name(*asked.name));
  for (const auto& [name, value] : asked.env) {
    SB_CHECK(model::check_environment_name(name));
    if (value.find('\0') != std::string::npos) return bad("env." + name + " must not contain NUL");
  }
  if (asked.user) {
    if (asked.user->size() > 64 || asked.user->find_first_of(":/\n") != std::string::npos ||
        asked.user->find('\0') != std::string::npos) {
      return bad("user is not valid");
    }
  }
  for (const auto& volume : asked.volumes) {
    SB_CHECK(model::check_mount_path(volume.mount_path));
    if (!volume.subpath.empty()) SB_CHECK(model::check_subpath(volume.subpath));
    return fail(Errc::not_found, "Volume '" + volume.volume_id + "' not found");
  }
  return {};
}

asio::awaitable<Result<void>> set_snapshot(Control& control, Sandbox& sandbox, const CreateSandbox& asked) {
  std::string wanted(trim(asked.snapshot.value_or("")));
  if (wanted.empty()) wanted = control.config.default_snapshot;
  if (asked.cpu.value_or(0) != 0 || asked.gpu.value_or(0) != 0 || asked.memory_gib.value_or(0) != 0 ||
      asked.disk_gib.value_or(0) != 0) {
    co_return bad("Cannot specify Sandbox resources when using a snapshot");
  }
  SB_CO_TRY(auto snapshot, co_await control.store.snapshots.find(sandbox.organization_id, wanted));
  if (!snapshot) {
    co_return bad("Snapshot " + wanted + " not found. Did you add it through the Daytona Dashboard?");
  }
  if (snapshot->state != model::SnapshotState::active) {
    co_return bad("Snapshot " + wanted + " is " + std::string(model::to_text(snapshot->state)));
  }
  sandbox.snapshot = snapshot->name;
  sandbox.image = std::move(snapshot->image);
  sandbox.resources = snapshot->resources;
  sandbox.sandbox_class = snapshot->sandbox_class;
  sandbox.user = asked.user && !asked.user->empty() ? *asked.user : snapshot->user;
  // Shown in lists only: once a minute is exact enough, and a write per create is not.
  const WallMs now = control.clock.wall_ms();
  if (snapshot->last_used_at.value_or(0) + 60'000 < now) control.store.snapshots.touch_later(snapshot->id, now);
  co_return Result<void>{};
}

// Whom it is linked to, held until it is there: who is deleted meanwhile would leave it behind.
asio::awaitable<Result<std::optional<Held>>> set_linked(Control& control, Sandbox& sandbox,
                                                        const CreateSandbox& asked) {
  if (!asked.linked_sandbox || asked.linked_sandbox->empty()) co_return std::nullopt;
  if (sandbox.intervals.destroy != 0) {
    co_return bad("Linked sandboxes must be ephemeral - set autoDeleteInterval to 0");
  }
  SB_CO_TRY(auto held, co_await hold(control, sandbox.organization_id, *asked.linked_sandbox));
  const Sandbox& head = held.sandbox;
  const SandboxState state = head.visible();
  if (head.desired == model::DesiredState::destroyed || state == SandboxState::destroying) {
    co_return fail(sandbox_not_found(*asked.linked_sandbox));
  }
  if (head.linked_sandbox_id) co_return bad("Cannot link to a sandbox that is itself linked");
  if (state == SandboxState::error || state == SandboxState::build_failed) {
    co_return bad("Cannot link to a sandbox in an errored state");
  }
  if (state == SandboxState::archived || state == SandboxState::archiving || state == SandboxState::restoring) {
    co_return bad("Cannot link to an archived sandbox: start it first");
  }
  if (control.live.linked_to(head.id) >= kLinkedMax) {
    co_return bad("At most " + std::to_string(kLinkedMax) + " sandboxes can be linked to one");
  }
  sandbox.linked_sandbox_id = head.id;
  co_return std::optional(std::move(held));
}

void set_identity(Control& control, Sandbox& sandbox, const CreateSandbox& asked) {
  sandbox.id = random_uuid();
  sandbox.name = asked.name && !trim(*asked.name).empty() ? *asked.name : sandbox.id;
  sandbox.env = asked.env;
  sandbox.labels = asked.labels;
  sandbox.volumes = asked.volumes;
  sandbox.is_public = asked.is_public;
  sandbox.auth_token = new_auth_token();
  sandbox.signing_key = random_hex(32);
  sandbox.daemon_version = control.config.version;
  sandbox.runner_id = kLocalRunnerId;
  sandbox.created_at = sandbox.updated_at = sandbox.last_activity_at = control.clock.wall_ms();
  sandbox.created = sandbox.since = sandbox.active = control.service.now();
  if (sandbox.intervals.ttl > 0) {
    sandbox.auto_destroy_at = sandbox.created_at + sandbox.intervals.ttl * model::kMinuteMs;
  }
}

// Everything that can be refused without having done or waited for anything.
asio::awaitable<Result<Sandbox>> plan(Control& control, const CreateSandbox& asked) {
  SB_CO_CHECK(check_space(control));
  Sandbox sandbox;
  sandbox.organization_id = asked.organization_id;
  SB_CO_CHECK(check_names(asked));
  SB_CO_TRY(sandbox.region_id, resolve_region(control.config, asked.target.value_or("")));
  SB_CO_CHECK(set_network(sandbox, asked));
  SB_CO_CHECK(set_intervals(sandbox, asked, control.config.intervals));
  if (asked.gpu.value_or(0) > 0) {
    if (sandbox.intervals.destroy != 0) {
      co_return bad("GPU sandboxes must be ephemeral - set autoDeleteInterval to 0");
    }
    co_return fail(Errc::not_implemented, "GPUs are not available in this version of sebring");
  }
  SB_CO_CHECK(co_await set_snapshot(control, sandbox, asked));
  SB_CO_CHECK(model::check_per_sandbox(sandbox.resources, control.config.limits));
  set_identity(control, sandbox, asked);
  co_return std::move(sandbox);
}

// Nothing of a sandbox that could not be started stays, its quota least of all. What the runner may hold of it is
// removed; a crash right here is repaired by the reconciler, which finds the row or the runner's report.
asio::awaitable<void> give_up(Control& control, Sandbox sandbox, Error cause) {
  const SandboxState before = sandbox.visible();
  const auto desired_before = sandbox.desired;
  sandbox.desired = model::DesiredState::destroyed;
  sandbox.name = model::destroyed_name(sandbox.name, control.clock.wall_ms());
  set_error(control, sandbox, "Sandbox failed to start: " + cause.message(), false);
  if (auto removed = co_await control.runner.remove(sandbox.id); removed) {
    set_state(control, sandbox, SandboxState::destroyed);
  }
  auto saved = co_await save(control, sandbox, before, desired_before);
  // The row may never have been there; then only the index knows of it.
  if (!saved) control.live.erase(sandbox.id);
  if (saved && sandbox.state != SandboxState::destroyed && control.needs_repair) control.needs_repair(sandbox.id);
}

}  // namespace

Error making_failed(const char* what, const Error& error) {
  switch (error.code()) {
    case Errc::unavailable:
    case Errc::timed_out:
    case Errc::exhausted:
      return Error(Errc::unavailable, what + (": " + error.message())).tagged("retry_after");
    case Errc::not_implemented:
      return error;
    default:
      return Error(Errc::invalid_argument, what + (": " + error.message()));
  }
}

Result<void> check_space(const Control& control) {
  if (!control.store.short_of_space()) return {};
  return fail(Errc::unavailable, "The disk of the server is full. Delete sandboxes, or free space on it.",
              "retry_after");
}

std::string new_auth_token() { return random_text(32, "abcdefghijklmnopqrstuvwxyz0123456789_-"); }

Result<std::string> resolve_region(const ControlConfig& config, const std::string& target) {
  const std::string wanted(trim(target));
  if (wanted.empty() || wanted == config.region_id || wanted == config.region_name) return config.region_id;
  if (std::ranges::find(config.region_aliases, wanted) != config.region_aliases.end()) return config.region_id;
  return fail(Errc::not_found, "Region not found");
}

asio::awaitable<Result<Sandbox>> create_sandbox(Control& control, CreateSandbox asked) {
  SB_CO_TRY(auto repeated, co_await begin_request(control, asked.organization_id, asked.request));
  if (repeated.made) co_return std::move(*repeated.made);
  SB_CO_TRY(Sandbox sandbox, co_await plan(control, asked));
  SB_CO_TRY(const auto pass, co_await control.creates.enter());
  SB_CO_TRY(const auto linked_to, co_await set_linked(control, sandbox, asked));

  NameReservation name(control, sandbox.organization_id, sandbox.name);
  SB_CO_CHECK(co_await name.check());
  SB_CO_CHECK(
      model::check_totals(sandbox.resources, control.live.used(sandbox.organization_id), control.config.limits));
  auto place = control.lines.try_enter(sandbox.id);
  SB_ASSERT(place.has_value());
  control.live.put(sandbox);

  // The row goes to the disk while the runner works. A crash before it is there leaves a container without a row, which
  // the inventory removes; one after it a row in `creating`, which the reconciler brings to its end.
  auto inserted = control.store.sandboxes.insert_later(sandbox, db::Urgency::now, repeated.mark);
  sandbox.version = 1;
  if (control.events.heard()) control.events.publish({sandbox.organization_id, SandboxCreated{sandbox}});
  const bool names_user = !asked.user.value_or("").empty();
  auto report =
      co_await control.runner.ensure_running(sandbox.id, make_runner_spec(control.config, sandbox, false, names_user));
  if (!report) {
    log_warning("create sandbox " + sandbox.id + ": " + report.error().message());
    co_await give_up(control, sandbox, report.error());
    co_return fail(making_failed("Sandbox failed to start", report.error()));
  }
  const SandboxState before = sandbox.visible();
  set_state(control, sandbox, SandboxState::started);
  set_active(control, sandbox);
  auto saved = co_await save(control, sandbox, before, sandbox.desired, &inserted, db::Urgency::unsynced);
  if (!saved) {
    sandbox.state = before;
    co_await give_up(control, sandbox, saved.error());
    co_return fail(std::move(saved.error()));
  }
  co_await note_running(control, sandbox.id, std::move(*report));
  co_return std::move(sandbox);
}

}  // namespace sebring::control
