#include "control/snapshots.h"

#include "base/random.h"
#include "control/log.h"
#include "model/names.h"

namespace sebring::control {
namespace {

using model::SnapshotState;

// Activating again right after deactivating would undo what the clean-up has begun.
constexpr std::int64_t kActivateAfterMs = 10 * model::kMinuteMs;

asio::awaitable<Result<Snapshot>> own_snapshot(Control& control, std::string organization_id, std::string id) {
  if (!is_uuid(id)) co_return fail(Errc::invalid_argument, "Validation failed (uuid is expected)");
  co_return co_await get_snapshot(control, organization_id, id);
}

void announce(Control& control, const Snapshot& snapshot, SnapshotState before) {
  if (!control.events.heard()) return;
  control.events.publish({snapshot.organization_id, SnapshotStateUpdated{snapshot, before, snapshot.state}});
}

}  // namespace

asio::awaitable<Result<Snapshot>> get_snapshot(Control& control, std::string organization_id, std::string id_or_name) {
  SB_CO_TRY(auto found, co_await control.store.snapshots.find(organization_id, id_or_name));
  if (!found) co_return fail(Errc::not_found, "Snapshot with ID or name " + id_or_name + " not found");
  co_return std::move(*found);
}

asio::awaitable<Result<void>> delete_snapshot(Control& control, std::string organization_id, std::string id) {
  SB_CO_TRY(auto snapshot, co_await own_snapshot(control, organization_id, id));
  if (snapshot.is_general()) co_return fail(Errc::forbidden, "You cannot delete a general snapshot");
  SB_CO_CHECK(co_await control.store.snapshots.remove(snapshot.id));
  if (snapshot.image.base == snapshot.id) {
    auto removed = co_await control.runner.remove_snapshot(snapshot.id);
    // Costs space, nothing else; nobody can start from it any more.
    if (!removed) log_warning("snapshot " + snapshot.id + " stays on the runner: " + removed.error().message());
  }
  if (control.events.heard()) control.events.publish({organization_id, SnapshotRemoved{snapshot}});
  co_return Result<void>{};
}

asio::awaitable<Result<Snapshot>> set_snapshot_active(Control& control, std::string organization_id, std::string id,
                                                      bool active) {
  SB_CO_TRY(auto snapshot, co_await own_snapshot(control, organization_id, id));
  if (snapshot.is_general()) co_return fail(Errc::forbidden, "You cannot change a general snapshot");
  const SnapshotState wanted = active ? SnapshotState::active : SnapshotState::inactive;
  if (snapshot.state == wanted) {
    co_return fail(Errc::invalid_argument,
                   "Snapshot " + snapshot.name + " is already " + std::string(model::to_text(wanted)));
  }
  if (snapshot.state != SnapshotState::active && snapshot.state != SnapshotState::inactive) {
    co_return fail(Errc::invalid_argument,
                   "Snapshot " + snapshot.name + " is " + std::string(model::to_text(snapshot.state)));
  }
  const WallMs now = control.clock.wall_ms();
  if (active && snapshot.updated_at + kActivateAfterMs > now && snapshot.updated_at <= now) {
    co_return fail(Errc::invalid_argument, "Snapshot was deactivated recently. Please try again in a few minutes");
  }
  const SnapshotState before = snapshot.state;
  snapshot.state = wanted;
  snapshot.updated_at = now;
  SB_CO_CHECK(co_await control.store.snapshots.update(snapshot));
  announce(control, snapshot, before);
  co_return snapshot;
}

asio::awaitable<Result<Snapshot>> put_general_snapshot(Control& control, Snapshot snapshot) {
  SB_CO_CHECK(model::check_snapshot_name(snapshot.name));
  snapshot.organization_id.clear();
  snapshot.id = random_uuid();
  if (snapshot.region_id.empty()) snapshot.region_id = control.config.region_id;
  snapshot.created_at = snapshot.updated_at = control.clock.wall_ms();
  SB_CO_CHECK(co_await control.store.snapshots.put(snapshot));
  co_return co_await get_snapshot(control, "", snapshot.name);
}

}  // namespace sebring::control
