#include "control/sandbox_change.h"

namespace sebring::control {
namespace {

void announce(Control& control, const Sandbox& sandbox, model::SandboxState before,
              model::DesiredState desired_before) {
  control.live.put(sandbox);
  if (!control.events.heard()) return;
  if (sandbox.desired != desired_before) {
    control.events.publish(
        {sandbox.organization_id, SandboxDesiredStateUpdated{sandbox, desired_before, sandbox.desired}});
  }
  if (sandbox.visible() != before) {
    control.events.publish({sandbox.organization_id, SandboxStateUpdated{sandbox, before, sandbox.visible()}});
  }
}

}  // namespace

Error sandbox_not_found(std::string_view id_or_name) {
  return Error(Errc::not_found, "Sandbox with ID or name " + std::string(id_or_name) + " not found");
}

asio::awaitable<Result<Held>> hold(Control& control, std::string organization_id, std::string id_or_name,
                                   Lines::Turn turn) {
  SB_CO_TRY(auto found, co_await control.store.sandboxes.find(organization_id, id_or_name));
  if (!found) co_return fail(sandbox_not_found(id_or_name));
  if (auto place = control.lines.try_enter(found->id, turn)) co_return Held{std::move(*place), std::move(*found)};
  SB_CO_TRY(auto place, co_await control.lines.enter(found->id, turn));
  SB_CO_TRY(auto again, co_await control.store.sandboxes.find(organization_id, found->id));
  if (!again) co_return fail(sandbox_not_found(id_or_name));
  co_return Held{std::move(place), std::move(*again)};
}

asio::awaitable<Result<std::optional<Held>>> hold_by_id(Control& control, std::string id) {
  SB_CO_TRY(auto place, co_await control.lines.enter(id));
  SB_CO_TRY(auto found, co_await control.store.sandboxes.find(id));
  if (!found) co_return std::nullopt;
  co_return Held{std::move(place), std::move(*found)};
}

void set_state(Control& control, Sandbox& sandbox, model::SandboxState state) {
  if (sandbox.state != state) sandbox.since = control.service.now();
  sandbox.state = state;
  sandbox.updated_at = control.clock.wall_ms();
  if (state != model::SandboxState::error && state != model::SandboxState::build_failed) {
    sandbox.error_reason.reset();
    sandbox.recoverable = false;
  }
}

void set_active(Control& control, Sandbox& sandbox) {
  sandbox.active = control.service.now();
  sandbox.last_activity_at = control.clock.wall_ms();
}

void set_error(Control& control, Sandbox& sandbox, std::string reason, bool recoverable) {
  set_state(control, sandbox, model::SandboxState::error);
  sandbox.error_reason = std::move(reason);
  sandbox.recoverable = recoverable;
}

asio::awaitable<Result<void>> save(Control& control, Sandbox& sandbox, model::SandboxState before,
                                   model::DesiredState desired_before, const db::Pending* intention,
                                   db::Urgency urgency) {
  auto pending = control.store.sandboxes.update_later(sandbox, urgency);
  auto written = intention != nullptr ? co_await intention->wait() : Result<void>{};
  if (written) written = co_await pending.wait();
  if (!written) {
    if (control.needs_repair) control.needs_repair(sandbox.id);
    co_return written;
  }
  ++sandbox.version;
  announce(control, sandbox, before, desired_before);
  co_return Result<void>{};
}

db::Pending save_intention(Control& control, Sandbox& sandbox, model::SandboxState before,
                           model::DesiredState desired_before) {
  auto pending = control.store.sandboxes.update_later(sandbox, db::Urgency::lazy);
  ++sandbox.version;
  announce(control, sandbox, before, desired_before);
  return pending;
}

}  // namespace sebring::control
