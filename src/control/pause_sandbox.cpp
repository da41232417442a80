#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {

using model::DesiredState;
using model::SandboxState;

asio::awaitable<Result<Sandbox>> pause_sandbox(Control& control, std::string organization_id, std::string sandbox) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  SB_CO_TRY(auto verdict, co_await may_now(control, held, model::Action::pause));
  Sandbox& row = held.sandbox;
  if (verdict == model::Verdict::nothing_to_do) co_return std::move(row);
  const SandboxState shown = row.visible();
  const DesiredState desired = row.desired;
  row.desired = DesiredState::paused;
  set_state(control, row, SandboxState::pausing);
  // Durable first, as for a stop: a restart must not call it started while its processes stand still.
  SB_CO_CHECK(co_await save(control, row, shown, desired));
  auto report = co_await control.runner.pause(row.id);
  // Whether paused or refused, it is there: a refusal leaves it running.
  row.desired = report ? DesiredState::paused : DesiredState::started;
  set_state(control, row, report ? SandboxState::paused : SandboxState::started);
  SB_CO_CHECK(co_await save(control, row, SandboxState::pausing, DesiredState::paused));
  if (!report) {
    if (control.needs_repair) control.needs_repair(row.id);
    co_return fail(std::move(report).error().while_doing("Sandbox failed to pause"));
  }
  co_return std::move(row);
}

}  // namespace sebring::control
