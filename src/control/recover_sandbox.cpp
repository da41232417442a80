#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {

asio::awaitable<Result<Sandbox>> recover_sandbox(Control& control, std::string organization_id, std::string sandbox,
                                                 bool skip_start) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  SB_CO_CHECK(co_await may_now(control, held, model::Action::recover));
  Sandbox& row = held.sandbox;
  if (!row.recoverable) {
    co_return fail(Errc::invalid_argument,
                   "Sandbox is not recoverable: " + row.error_reason.value_or("unknown reason"));
  }
  // What may still run of it must not meet what comes.
  auto report = co_await control.runner.stop(row.id, true, 0);
  if (!report) co_return fail(std::move(report).error().while_doing("Sandbox failed to recover"));
  const auto shown = row.visible();
  const auto desired = row.desired;
  row.desired = model::DesiredState::stopped;
  set_state(control, row, model::SandboxState::stopped);
  SB_CO_CHECK(co_await save(control, row, shown, desired));
  if (!skip_start) {
    SB_CO_CHECK(co_await run_sandbox(control, held));
  }
  co_return std::move(row);
}

}  // namespace sebring::control
