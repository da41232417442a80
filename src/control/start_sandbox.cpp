#include "control/archive_job.h"
#include "control/repair.h"
#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {

// An archive that is under way, and the restore that somebody else has asked for meanwhile.
constexpr int kJobsWaitedForMax = 2;

asio::awaitable<Result<Sandbox>> get_sandbox(Control& control, std::string organization_id, std::string sandbox) {
  SB_CO_TRY(auto found, co_await control.store.sandboxes.find(organization_id, sandbox));
  if (!found) co_return fail(sandbox_not_found(sandbox));
  co_return std::move(*found);
}

asio::awaitable<Result<model::Verdict>> may_now(Control& control, Held& held, model::Action action) {
  auto verdict = model::may(action, held.sandbox.visible());
  if (!verdict || *verdict != model::Verdict::wait) co_return verdict;
  // Nobody stands in line while a disk is packed or unpacked; who wants something else then waits here, as long as for
  // any other change.
  for (int jobs = 0; jobs < kJobsWaitedForMax && control.long_jobs.contains(held.sandbox.id); ++jobs) {
    const std::string organization = held.sandbox.organization_id, id = held.sandbox.id;
    held.place.leave();
    SB_CO_CHECK(co_await wait_for_rest(control, organization, id));
    SB_CO_TRY(held, co_await hold(control, organization, id));
    verdict = model::may(action, held.sandbox.visible());
    if (!verdict || *verdict != model::Verdict::wait) co_return verdict;
  }
  SB_CO_CHECK(co_await finish_transition(control, held));
  co_return model::may(action, held.sandbox.visible());
}

namespace {

// A restore goes on behind the request; what is known of it when the wait is over is the answer.
asio::awaitable<Result<Sandbox>> outcome_of_restore(Control& control, std::string organization_id, std::string id) {
  SB_CO_TRY(auto found, co_await wait_for_rest(control, organization_id, id));
  if (found.visible() == model::SandboxState::error) {
    co_return fail(Errc::invalid_argument,
                   "Sandbox failed to start: " + found.error_reason.value_or("the archive could not be restored"));
  }
  if (found.visible() == model::SandboxState::archived) {
    co_return fail(Errc::unavailable, "Sandbox failed to start: its archive can not be restored at the moment",
                   "retry_after");
  }
  co_return found;
}

}  // namespace

asio::awaitable<Result<Sandbox>> start_sandbox(Control& control, std::string organization_id, std::string sandbox,
                                               StartedBy by) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  SB_CO_TRY(auto verdict, co_await may_now(control, held, model::Action::start));
  if (verdict == model::Verdict::nothing_to_do) co_return std::move(held.sandbox);
  const auto& resources = held.sandbox.resources;
  const bool archived = held.sandbox.state == model::SandboxState::archived;
  SB_CO_CHECK(
      model::check_totals({resources.cpu, resources.gpu, resources.memory_gib, archived ? resources.disk_gib : 0},
                          control.live.used(organization_id), control.config.limits));
  if (archived) {
    SB_CO_CHECK(co_await begin_restoring(control, held));
    held.place.leave();
    co_return co_await outcome_of_restore(control, organization_id, held.sandbox.id);
  }
  SB_CO_CHECK(co_await run_sandbox(control, held, by == StartedBy::use));
  co_return std::move(held.sandbox);
}

}  // namespace sebring::control
