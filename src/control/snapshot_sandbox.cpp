#include "base/random.h"
#include "control/sandbox_use_cases.h"
#include "control/settle.h"
#include "model/names.h"

namespace sebring::control {
namespace {

// Tells the sweep of copies that somebody is about to own one.
class InFlight {
 public:
  InFlight(Control& control, std::string id) : control_(control), id_(std::move(id)) {
    control_.snapshots_in_flight.insert(id_);
  }
  ~InFlight() { control_.snapshots_in_flight.erase(id_); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  Control& control_;
  std::string id_;
};

}  // namespace

asio::awaitable<Result<Sandbox>> snapshot_sandbox(Control& control, std::string organization_id, std::string sandbox,
                                                  std::string name) {
  SB_CO_CHECK(model::check_snapshot_name(name));
  SB_CO_TRY(auto held, co_await hold(control, organization_id, sandbox));
  SB_CO_CHECK(co_await may_now(control, held, model::Action::snapshot));
  const Error taken(Errc::conflict, "Snapshot with name \"" + name + "\" already exists for this organization");
  SB_CO_TRY(auto existing, co_await control.store.snapshots.find(organization_id, name));
  if (existing && !existing->is_general()) co_return fail(taken);
  SB_CO_TRY(auto count, co_await control.store.snapshots.count(organization_id));
  if (count >= control.config.limits.snapshots) {
    co_return fail(Errc::invalid_argument,
                   "Snapshot quota exceeded. Maximum allowed: " + std::to_string(control.config.limits.snapshots));
  }
  model::Snapshot snapshot;
  snapshot.id = random_uuid();
  snapshot.organization_id = organization_id;
  snapshot.name = name;
  snapshot.user = held.sandbox.user;
  snapshot.image = held.sandbox.image;
  snapshot.image.base = snapshot.id;  // the runner's name for the copy; ours may be given away and come back
  snapshot.resources = held.sandbox.resources;
  snapshot.sandbox_class = held.sandbox.sandbox_class;
  snapshot.region_id = held.sandbox.region_id;
  snapshot.source_sandbox_id = held.sandbox.id;
  snapshot.created_at = snapshot.updated_at = control.clock.wall_ms();
  InFlight in_flight(control, snapshot.id);
  auto made = co_await control.runner.snapshot(held.sandbox.id, snapshot.id);
  if (!made) co_return fail(std::move(made).error().while_doing("Snapshot failed"));
  snapshot.size_bytes = made->bytes;
  auto written = co_await control.store.snapshots.insert(snapshot);
  if (!written) {
    (void)co_await control.runner.remove_snapshot(snapshot.id);  // what stays is found by the sweep of copies
    co_return fail(written.error().code() == Errc::conflict ? taken : written.error());
  }
  if (control.events.heard()) control.events.publish({organization_id, SnapshotCreated{snapshot}});
  co_return std::move(held.sandbox);
}

}  // namespace sebring::control
