#include "control/archive_job.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "control/log.h"
#include "control/settle.h"

namespace sebring::control {
namespace {

using model::DesiredState;
using model::SandboxState;

asio::awaitable<Result<void>> write_state(Control& control, Held& held, SandboxState state, DesiredState desired) {
  const SandboxState shown = held.sandbox.visible();
  const DesiredState before = held.sandbox.desired;
  held.sandbox.desired = desired;
  set_state(control, held.sandbox, state);
  co_return co_await save(control, held.sandbox, shown, before);
}

// The sandbox, if it is still in `state`: a delete may have come first.
asio::awaitable<std::optional<Held>> hold_while(Control& control, std::string id, SandboxState state) {
  auto held = co_await hold_by_id(control, id);
  if (!held || !*held || (*held)->sandbox.state != state) co_return std::nullopt;
  co_return std::move(**held);
}

asio::awaitable<Result<void>> end_archiving(Control& control, Held& held, Result<RunnerClient::Archived> archived,
                                            std::string path) {
  Sandbox& sandbox = held.sandbox;
  const SandboxState shown = sandbox.visible();
  const DesiredState desired = sandbox.desired;
  if (!archived) {
    log_warning("archive sandbox " + sandbox.id + ": " + archived.error().message());
    sandbox.desired = DesiredState::stopped;
    set_state(control, sandbox, SandboxState::stopped);
    sandbox.backup_state = model::BackupState::error;
    co_return co_await save(control, sandbox, shown, desired);
  }
  sandbox.archive = model::Archive{std::move(path), archived->sha256, archived->bytes};
  sandbox.backup_state = model::BackupState::completed;
  sandbox.backup_created_at = control.clock.wall_ms();
  sandbox.runner_id.clear();
  set_state(control, sandbox, SandboxState::archived);
  SB_CO_CHECK(co_await save(control, sandbox, shown, desired));
  // The row promises the archive; only now may the disk go. A crash here leaves it to the inventory.
  if (auto removed = co_await control.runner.remove(sandbox.id); !removed && control.needs_repair) {
    control.needs_repair(sandbox.id);
  }
  co_return Result<void>{};
}

asio::awaitable<void> archive_task(Control& control, std::string id, std::string path) {
  auto archived = co_await control.runner.archive(id, path);
  auto held = co_await hold_while(control, id, SandboxState::archiving);
  control.long_jobs.erase(id);
  if (!held) co_return;
  if (auto done = co_await end_archiving(control, *held, std::move(archived), path); !done) {
    log_error("archive sandbox " + id + ": " + done.error().message());
  }
}

// Missing, of another digest, or no archive at all: no further try would end otherwise.
bool is_damaged(const Error& error) {
  return error.code() == Errc::invalid_argument || error.code() == Errc::not_found ||
         error.code() == Errc::unprocessable;
}

asio::awaitable<Result<void>> end_restoring(Control& control, Held& held, Result<RunnerReport> restored) {
  if (!restored) {
    log_warning("restore sandbox " + held.sandbox.id + ": " + restored.error().message());
    const SandboxState shown = held.sandbox.visible();
    const DesiredState desired = held.sandbox.desired;
    held.sandbox.desired = DesiredState::archived;
    // Whatever it was, the archive is still there to try again, unless it is the archive itself.
    if (!is_damaged(restored.error())) {
      set_state(control, held.sandbox, SandboxState::archived);
    } else {
      set_error(control, held.sandbox, "Sandbox failed to restore: " + restored.error().message(), false);
    }
    co_return co_await save(control, held.sandbox, shown, desired);
  }
  held.sandbox.runner_id = kLocalRunnerId;
  SB_CO_CHECK(co_await write_state(control, held, SandboxState::starting, DesiredState::started));
  co_return co_await run_sandbox(control, held);
}

// A runner that has a disk of it already takes that for the restored one; it may be half of one, from an attempt that a
// crash cut.
asio::awaitable<Result<RunnerReport>> restore(Control& control, const Sandbox& sandbox) {
  SB_CO_CHECK(co_await control.runner.remove(sandbox.id));
  co_return co_await control.runner.restore(sandbox.id, sandbox.archive->path, sandbox.archive->sha256,
                                            sandbox.resources.disk_gib * model::kGiB);
}

asio::awaitable<void> restore_task(Control& control, Sandbox sandbox) {
  auto restored = co_await restore(control, sandbox);
  auto held = co_await hold_while(control, sandbox.id, SandboxState::restoring);
  control.long_jobs.erase(sandbox.id);
  if (!held) co_return;
  if (auto done = co_await end_restoring(control, *held, std::move(restored)); !done) {
    log_error("restore sandbox " + sandbox.id + ": " + done.error().message());
  }
}

}  // namespace

asio::awaitable<Result<void>> begin_archiving(Control& control, Held& held) {
  SB_CO_CHECK(co_await write_state(control, held, SandboxState::archiving, DesiredState::archived));
  const std::string path = held.sandbox.id + "-" + std::to_string(held.sandbox.version) + ".tar.zst";
  control.long_jobs.insert(held.sandbox.id);
  control.tasks.spawn("archive sandbox", archive_task(control, held.sandbox.id, path));
  co_return Result<void>{};
}

asio::awaitable<Result<void>> begin_restoring(Control& control, Held& held) {
  if (!held.sandbox.archive) co_return fail(Errc::invalid_argument, "The sandbox has no archive");
  SB_CO_CHECK(co_await write_state(control, held, SandboxState::restoring, DesiredState::started));
  control.long_jobs.insert(held.sandbox.id);
  control.tasks.spawn("restore sandbox", restore_task(control, held.sandbox));
  co_return Result<void>{};
}

asio::awaitable<Result<void>> repair_archiving(Control& control, Held& held) {
  if (control.long_jobs.contains(held.sandbox.id))
    co_return fail(Errc::unavailable, "Sandbox state change in progress");
  if (held.sandbox.visible() == SandboxState::archiving) {
    co_return co_await write_state(control, held, SandboxState::stopped, DesiredState::stopped);
  }
  // Half a restore is no disk: it begins anew at the next start. Nothing is reported while an earlier life's restore
  // is still being unpacked; the removal waits for that.
  SB_CO_CHECK(co_await control.runner.remove(held.sandbox.id));
  co_return co_await write_state(control, held, SandboxState::archived, DesiredState::archived);
}

asio::awaitable<Result<Sandbox>> wait_for_rest(Control& control, std::string organization_id, std::string id) {
  asio::steady_timer wake(control.executor);
  wake.expires_after(kRunnerCallMax);
  auto subscription = control.events.subscribe([&wake, &id](const std::shared_ptr<const Event>& event) {
    const auto* update = std::get_if<SandboxStateUpdated>(&event->what);
    if (update != nullptr && update->sandbox.id == id && !model::is_transitional(update->new_state)) wake.cancel();
  });
  SB_CO_TRY(auto now, co_await control.store.sandboxes.find(organization_id, id));
  if (now && model::is_transitional(now->visible())) co_await wake.async_wait(asio::as_tuple(asio::use_awaitable));
  SB_CO_TRY(auto found, co_await control.store.sandboxes.find(organization_id, id));
  if (!found) co_return fail(sandbox_not_found(id));
  co_return std::move(*found);
}

}  // namespace sebring::control
