#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {

using model::SandboxState;

asio::awaitable<Result<Sandbox>> resize_sandbox(Control& control, std::string organization_id, std::string sandbox,
                                                model::Resize asked) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  SB_CO_CHECK(co_await may_now(control, held, model::Action::resize));
  Sandbox& row = held.sandbox;
  const model::Resources before = row.resources;
  const SandboxState state = row.state;
  SB_CO_TRY(auto wanted, model::resized(row, asked));
  if (wanted == before) co_return std::move(row);
  SB_CO_CHECK(model::check_per_sandbox(wanted, control.config.limits));
  const bool running = state == SandboxState::started;
  SB_CO_CHECK(
      model::check_totals({running ? wanted.cpu - before.cpu : 0, 0,
                           running ? wanted.memory_gib - before.memory_gib : 0, wanted.disk_gib - before.disk_gib},
                          control.live.used(organization_id), control.config.limits));
  row.resources = wanted;
  set_state(control, row, SandboxState::resizing);
  // Durable first: who finds the row after a crash sets the limits that it names again.
  SB_CO_CHECK(co_await save(control, row, state, row.desired));
  auto report = co_await control.runner.set_limits(
      row.id, {wanted.cpu, wanted.memory_gib * model::kGiB, wanted.disk_gib * model::kGiB});
  if (!report) row.resources = before;
  if (!report && may_pass(report.error())) {
    // It may have set them, or may yet: the repair sets those of the row again.
    SB_CO_CHECK(co_await save(control, row, SandboxState::resizing, row.desired));
    if (control.needs_repair) control.needs_repair(row.id);
    co_return fail(std::move(report).error().while_doing("Sandbox failed to resize"));
  }
  set_state(control, row, state);
  SB_CO_CHECK(co_await save(control, row, SandboxState::resizing, row.desired));
  if (!report) co_return fail(std::move(report).error().while_doing("Sandbox failed to resize"));
  co_return std::move(row);
}

}  // namespace sebring::control
