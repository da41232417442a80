#include "control/settle.h"

#include "control/create_sandbox.h"
#include "control/linked_group.h"
#include "control/log.h"
#include "control/runner_spec.h"

namespace sebring::control {
namespace {

using model::DesiredState;
using model::SandboxState;

std::string mebibytes(std::int64_t bytes) { return std::to_string(bytes / (1 << 20)) + " MiB"; }

// The runner did not do it. `doing` begins the reason: "Sandbox failed to start". `intention`: nullptr when it is
// durable already.
asio::awaitable<Result<void>> settle_failure(Control& control, Held& held, SandboxState before,
                                             const db::Pending* intention, Error error, std::string doing) {
  log_warning("sandbox " + held.sandbox.id + ": " + doing + ": " + error.message());
  if (may_pass(error)) {
    // Nobody else may read the row before our last write of it is on disk.
    if (intention != nullptr) {
      SB_CO_CHECK(co_await intention->wait());
    }
    if (control.needs_repair) control.needs_repair(held.sandbox.id);
    co_return fail(Errc::unavailable, doing + ": " + error.message());
  }
  const auto desired = held.sandbox.desired;
  // The disk is still there unless the runner says that it knows nothing of the sandbox.
  set_error(control, held.sandbox, doing + ": " + error.message(), error.code() != Errc::not_found);
  SB_CO_CHECK(co_await save(control, held.sandbox, before, desired, intention));
  co_return fail(Errc::invalid_argument, doing + ": " + error.message());
}

}  // namespace

bool may_pass(const Error& error) {
  switch (error.code()) {
    case Errc::unavailable:
    case Errc::timed_out:
    case Errc::exhausted:
    case Errc::cancelled:
      return true;
    default:
      return false;
  }
}

std::string reason_of(const RunnerCause& cause) {
  std::string memory;
  if (cause.limit_bytes) memory += ", limit " + mebibytes(*cause.limit_bytes);
  if (cause.peak_bytes) memory += ", peak " + mebibytes(*cause.peak_bytes);
  if (!cause.victim.empty()) memory += ", killed process " + cause.victim;
  if (cause.kind == "out_of_memory") {
    if (!memory.empty()) memory[0] = ':';
    return "Sandbox ran out of memory" + memory;
  }
  const std::string tail = (cause.message.empty() ? "" : ": " + cause.message) + memory;
  if (cause.kind == "toolbox_died") return "The sandbox's daemon ended" + tail;
  if (cause.kind == "toolbox_hung") return "The sandbox's daemon did not answer any more" + tail;
  if (cause.kind == "killed") return "The sandbox's processes were killed" + tail;
  return "The sandbox ended (" + cause.kind + ")" + tail;
}

asio::awaitable<Result<void>> run_sandbox(Control& control, Held& held, bool keep_token) {
  Sandbox& sandbox = held.sandbox;
  const SandboxState shown = sandbox.visible();
  const DesiredState desired = sandbox.desired;
  const bool resuming = sandbox.state == SandboxState::paused || sandbox.state == SandboxState::resuming;
  sandbox.desired = DesiredState::started;
  set_state(control, sandbox, resuming ? SandboxState::resuming : SandboxState::starting);
  if (!resuming && !keep_token) sandbox.auth_token = new_auth_token();
  auto intention = save_intention(control, sandbox, shown, desired);
  const SandboxState before = sandbox.visible();

  Result<RunnerReport> report =
      resuming ? co_await control.runner.resume(sandbox.id)
               : co_await control.runner.ensure_running(sandbox.id, make_runner_spec(control.config, sandbox, true));
  if (!report) {
    co_return co_await settle_failure(control, held, before, &intention, report.error(), "Sandbox failed to start");
  }
  set_state(control, sandbox, SandboxState::started);
  set_active(control, sandbox);
  SB_CO_CHECK(co_await save(control, sandbox, before, sandbox.desired, &intention));
  co_await note_running(control, sandbox.id, std::move(*report));
  co_return Result<void>{};
}

asio::awaitable<Result<void>> halt_sandbox(Control& control, Held& held, bool force) {
  Sandbox& sandbox = held.sandbox;
  const SandboxState shown = sandbox.visible();
  const DesiredState desired = sandbox.desired;
  sandbox.desired = DesiredState::stopped;
  set_state(control, sandbox, SandboxState::stopping);
  // Durable before the first process is told to end: after a crash the row must not promise what is being taken away.
  SB_CO_CHECK(co_await save(control, sandbox, shown, desired));
  const SandboxState before = sandbox.visible();

  auto report = co_await control.runner.stop(sandbox.id, force, control.config.stop_grace_ms);
  // Nothing there to stop is stopped.
  if (!report && report.error().code() != Errc::not_found) {
    co_return co_await settle_failure(control, held, before, nullptr, report.error(), "Sandbox failed to stop");
  }
  if (sandbox.is_ephemeral()) co_return co_await destroy_sandbox(control, held);
  set_state(control, sandbox, SandboxState::stopped);
  SB_CO_CHECK(co_await save(control, sandbox, before, sandbox.desired));
  note_gone(control, sandbox);
  co_return Result<void>{};
}

asio::awaitable<Result<void>> destroy_sandbox(Control& control, Held& held) {
  Sandbox& sandbox = held.sandbox;
  const SandboxState shown = sandbox.visible();
  const DesiredState desired = sandbox.desired;
  if (sandbox.state != SandboxState::destroying) {
    sandbox.name = model::destroyed_name(sandbox.name, control.clock.wall_ms());
    sandbox.desired = DesiredState::destroyed;
    set_state(control, sandbox, SandboxState::destroying);
    // Durable before the first byte is gone: a crash must never leave a row that promises what no longer exists.
    SB_CO_CHECK(co_await save(control, sandbox, shown, desired));
  }
  if (auto removed = co_await control.runner.remove(sandbox.id); !removed) {
    log_warning("delete sandbox " + sandbox.id + ": " + removed.error().message());
    if (control.needs_repair) control.needs_repair(sandbox.id);
    co_return Result<void>{};
  }
  set_state(control, sandbox, SandboxState::destroyed);
  SB_CO_CHECK(co_await save(control, sandbox, SandboxState::destroying, sandbox.desired));
  note_gone(control, sandbox);
  // What can not be removed now is found by the sweep of copies.
  if (sandbox.archive) (void)co_await control.runner.remove_archive(sandbox.archive->path);
  co_return Result<void>{};
}

}  // namespace sebring::control
