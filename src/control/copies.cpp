#include "control/copies.h"

#include "base/random.h"
#include "control/log.h"

namespace sebring::control {
namespace {

constexpr std::size_t kIdLength = 36;

// "<sandbox>-<version>.tar.zst"; anything else is not ours to remove.
std::optional<std::string> sandbox_of_archive(const std::string& name) {
  if (name.size() <= kIdLength || name[kIdLength] != '-' || !name.ends_with(".tar.zst")) return std::nullopt;
  std::string id = name.substr(0, kIdLength);
  if (!is_uuid(id)) return std::nullopt;
  return id;
}

// Listed before the rows are read: who writes its row meanwhile is in flight, or in the line, or committed.
asio::awaitable<Result<void>> remove_snapshot_unless_owned(Control& control, std::string name) {
  if (!is_uuid(name) || control.snapshots_in_flight.contains(name)) co_return Result<void>{};
  SB_CO_TRY(const bool owned, co_await control.store.snapshots.exists(name));
  if (owned || control.snapshots_in_flight.contains(name)) co_return Result<void>{};
  log_info("removing snapshot " + name + " from the runner: no row names it");
  co_return co_await control.runner.remove_snapshot(name);
}

asio::awaitable<Result<void>> remove_archive_unless_owned(Control& control, std::string name) {
  const auto id = sandbox_of_archive(name);
  if (!id || control.long_jobs.contains(*id) || control.lines.busy(*id)) co_return Result<void>{};
  SB_CO_TRY(auto row, co_await control.store.sandboxes.find(*id));
  if (control.long_jobs.contains(*id) || control.lines.busy(*id)) co_return Result<void>{};
  const bool lives = row && row->state != model::SandboxState::destroyed;
  if (lives && row->archive && row->archive->path == name) co_return Result<void>{};
  log_info("removing archive " + name + ": no row names it");
  co_return co_await control.runner.remove_archive(name);
}

}  // namespace

asio::awaitable<Result<void>> remove_unowned_copies(Control& control) {
  SB_CO_TRY(auto copies, co_await control.runner.copies());
  for (const std::string& name : copies.snapshots) SB_CO_CHECK(co_await remove_snapshot_unless_owned(control, name));
  for (const std::string& name : copies.archives) SB_CO_CHECK(co_await remove_archive_unless_owned(control, name));
  co_return Result<void>{};
}

}  // namespace sebring::control
