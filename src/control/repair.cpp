#include "control/repair.h"

#include "control/archive_job.h"
#include "control/linked_group.h"
#include "control/log.h"
#include "control/runner_spec.h"
#include "control/settle.h"

namespace sebring::control {
namespace {

using model::DesiredState;
using model::SandboxState;

// Writes a state that was found rather than made.
asio::awaitable<Result<void>> adopt(Control& control, Held& held, SandboxState state, DesiredState desired) {
  const SandboxState shown = held.sandbox.visible();
  const DesiredState desired_before = held.sandbox.desired;
  if (held.sandbox.state == state && desired_before == desired) {
    control.live.put(held.sandbox);
    co_return Result<void>{};
  }
  held.sandbox.desired = desired;
  set_state(control, held.sandbox, state);
  co_return co_await save(control, held.sandbox, shown, desired_before);
}

asio::awaitable<Result<void>> adopt_report(Control& control, Held& held, const RunnerReport& report) {
  switch (report.state) {
    case RunnerState::running:
      SB_CO_CHECK(co_await adopt(control, held, SandboxState::started, DesiredState::started));
      co_await note_running(control, held.sandbox.id, report);
      co_return Result<void>{};
    case RunnerState::paused:
      SB_CO_CHECK(co_await adopt(control, held, SandboxState::paused, DesiredState::paused));
      co_await note_running(control, held.sandbox.id, report);
      co_return Result<void>{};
    case RunnerState::stopped:
      co_return co_await settle_exit(control, held, report.cause);
  }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> set_lost(Control& control, Held& held) {
  const SandboxState shown = held.sandbox.visible();
  const DesiredState desired = held.sandbox.desired;
  held.sandbox.desired = DesiredState::stopped;
  set_error(control, held.sandbox, "The disk of the sandbox is not on its machine any more", false);
  co_return co_await save(control, held.sandbox, shown, desired);
}

// A create that nobody waits for any more goes on; there is no disk yet when the crash came early.
asio::awaitable<Result<void>> finish_creating(Control& control, Held& held) {
  const SandboxState shown = held.sandbox.visible();
  auto report =
      co_await control.runner.ensure_running(held.sandbox.id, make_runner_spec(control.config, held.sandbox, false));
  if (!report && may_pass(report.error())) co_return fail(report.error());
  if (!report) {
    set_error(control, held.sandbox, "Sandbox failed to start: " + report.error().message(), false);
    co_return co_await save(control, held.sandbox, shown, held.sandbox.desired);
  }
  set_state(control, held.sandbox, SandboxState::started);
  set_active(control, held.sandbox);
  SB_CO_CHECK(co_await save(control, held.sandbox, shown, held.sandbox.desired));
  co_await note_running(control, held.sandbox.id, std::move(*report));
  co_return Result<void>{};
}

asio::awaitable<Result<void>> finish_resizing(Control& control, Held& held, const std::optional<RunnerReport>& report) {
  if (!report) co_return co_await set_lost(control, held);
  const auto& wanted = held.sandbox.resources;
  auto done = co_await control.runner.set_limits(
      held.sandbox.id, {wanted.cpu, wanted.memory_gib * model::kGiB, wanted.disk_gib * model::kGiB});
  if (!done && may_pass(done.error())) co_return fail(done.error());
  if (!done) log_warning("resize of " + held.sandbox.id + " was refused: " + done.error().message());
  co_return co_await adopt_report(control, held, *report);
}

asio::awaitable<Result<void>> repair_resting(Control& control, Held& held, const std::optional<RunnerReport>& report) {
  Sandbox& sandbox = held.sandbox;
  switch (sandbox.state) {
    case SandboxState::started:
    case SandboxState::paused:
      if (!report) co_return co_await set_lost(control, held);
      co_return co_await adopt_report(control, held, *report);
    case SandboxState::stopped:
      if (!report) co_return co_await set_lost(control, held);
      // The stop was written, the processes were not gone yet or came back: the row is the word that was given.
      if (report->state != RunnerState::stopped) co_return co_await halt_sandbox(control, held, false);
      control.live.put(sandbox);
      co_return Result<void>{};
    case SandboxState::error:
      if (report && report->state != RunnerState::stopped) {
        auto stopped = co_await control.runner.stop(sandbox.id, true, 0);
        if (!stopped) co_return fail(stopped.error());
      }
      control.live.put(sandbox);
      co_return Result<void>{};
    case SandboxState::archived:
    case SandboxState::build_failed:
    case SandboxState::destroyed:
      // What is still there is left over from a crash after the row was written.
      if (report) co_return co_await control.runner.remove(sandbox.id);
      co_return Result<void>{};
    default:
      co_return Result<void>{};
  }
}

}  // namespace

asio::awaitable<Result<void>> settle_exit(Control& control, Held& held, const std::optional<RunnerCause>& cause) {
  Sandbox& sandbox = held.sandbox;
  if (!cause || cause->kind == "reboot") {
    if (sandbox.is_ephemeral()) co_return co_await destroy_sandbox(control, held);
    SB_CO_CHECK(co_await adopt(control, held, SandboxState::stopped, DesiredState::stopped));
    note_gone(control, sandbox);
    co_return Result<void>{};
  }
  const SandboxState shown = sandbox.visible();
  const DesiredState desired = sandbox.desired;
  sandbox.desired = DesiredState::stopped;
  set_error(control, sandbox, reason_of(*cause), true);  // the disk is there: a start brings it back
  log_warning("sandbox " + sandbox.id + ": " + *sandbox.error_reason);
  SB_CO_CHECK(co_await save(control, sandbox, shown, desired));
  note_gone(control, sandbox);
  co_return Result<void>{};
}

asio::awaitable<Result<void>> repair(Control& control, Held& held, std::optional<RunnerReport> report) {
  Sandbox& sandbox = held.sandbox;
  if (sandbox.desired == DesiredState::destroyed && sandbox.state != SandboxState::destroyed) {
    SB_CO_CHECK(co_await destroy_sandbox(control, held));
    if (sandbox.state != SandboxState::destroyed) co_return fail(Errc::unavailable, "not removed yet");
    co_return Result<void>{};
  }
  switch (sandbox.visible()) {
    case SandboxState::creating:
    case SandboxState::unknown:
    case SandboxState::pulling_snapshot:
      // A fork whose copy was never made: a fresh disk would not be its parent's.
      if (!report && sandbox.parent_id) co_return co_await destroy_sandbox(control, held);
      co_return co_await finish_creating(control, held);
    case SandboxState::starting:
      if (!report) co_return co_await set_lost(control, held);
      co_return co_await run_sandbox(control, held);
    case SandboxState::resuming:
      if (!report) co_return co_await set_lost(control, held);
      if (report->state == RunnerState::stopped) co_return co_await settle_exit(control, held, report->cause);
      co_return co_await run_sandbox(control, held);
    case SandboxState::stopping:
      co_return co_await halt_sandbox(control, held, false);
    case SandboxState::pausing:
    case SandboxState::forking:
    case SandboxState::snapshotting:
      if (!report) co_return co_await set_lost(control, held);
      co_return co_await adopt_report(control, held, *report);
    case SandboxState::resizing:
      co_return co_await finish_resizing(control, held, report);
    case SandboxState::archiving:
    case SandboxState::restoring:
      co_return co_await repair_archiving(control, held);
    default:
      co_return co_await repair_resting(control, held, report);
  }
}

asio::awaitable<Result<void>> repair(Control& control, Held& held) {
  auto report = co_await control.runner.get(held.sandbox.id);
  if (report) co_return co_await repair(control, held, std::optional(std::move(*report)));
  if (report.error().code() != Errc::not_found) co_return fail(report.error());
  co_return co_await repair(control, held, std::nullopt);
}

asio::awaitable<Result<void>> finish_transition(Control& control, Held& held) {
  auto done = co_await repair(control, held);
  if (done && !model::is_transitional(held.sandbox.visible())) co_return done;
  co_return fail(Errc::conflict, "Sandbox state change in progress");
}

}  // namespace sebring::control
