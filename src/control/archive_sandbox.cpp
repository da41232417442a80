#include "control/archive_job.h"
#include "control/log.h"
#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {
namespace {

using model::BackupState;

asio::awaitable<void> backup_task(Control& control, std::string id, std::string path) {
  auto archived = co_await control.runner.archive(id, path);
  auto found = co_await hold_by_id(control, id);
  control.long_jobs.erase(id);
  if (!found || !*found) co_return;
  Sandbox& row = (*found)->sandbox;
  if (row.backup_state != BackupState::in_progress || row.desired == model::DesiredState::destroyed) co_return;
  if (archived) {
    row.backup_state = BackupState::completed;
    row.backup_created_at = control.clock.wall_ms();
    row.archive = model::Archive{path, archived->sha256, archived->bytes};
  } else {
    log_warning("backup of sandbox " + id + ": " + archived.error().message());
    row.backup_state = BackupState::error;
  }
  (void)co_await save(control, row, row.visible(), row.desired);
}

}  // namespace

asio::awaitable<Result<Sandbox>> archive_sandbox(Control& control, std::string organization_id, std::string sandbox) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  if (held.sandbox.is_ephemeral()) co_return fail(Errc::invalid_argument, "Ephemeral sandboxes cannot be archived");
  SB_CO_CHECK(co_await may_now(control, held, model::Action::archive));
  if (control.long_jobs.contains(held.sandbox.id)) {
    co_return fail(Errc::invalid_argument, "Sandbox backup is already in progress");
  }
  SB_CO_CHECK(co_await begin_archiving(control, held));
  co_return std::move(held.sandbox);
}

asio::awaitable<Result<Sandbox>> backup_sandbox(Control& control, std::string organization_id, std::string sandbox) {
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  Sandbox& row = held.sandbox;
  if (row.is_ephemeral()) co_return fail(Errc::invalid_argument, "Ephemeral sandboxes cannot be backed up");
  if (control.long_jobs.contains(row.id)) {
    co_return fail(Errc::invalid_argument, "Sandbox backup is already in progress");
  }
  SB_CO_CHECK(co_await may_now(control, held, model::Action::backup));
  row.backup_state = BackupState::in_progress;
  row.updated_at = control.clock.wall_ms();
  SB_CO_CHECK(co_await save(control, row, row.visible(), row.desired));
  const std::string path = row.id + "-" + std::to_string(row.version) + ".tar.zst";
  control.long_jobs.insert(row.id);
  control.tasks.spawn("backup sandbox", backup_task(control, row.id, path));
  co_return std::move(row);
}

}  // namespace sebring::control
