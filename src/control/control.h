#pragma once
// What every use case gets: the whole of the control plane's state, owned by its composition (api/control_plane.h),
// used on the event loop's thread only.
#include <functional>
#include <set>
#include <string>

#include "base/time.h"
#include "control/config.h"
#include "control/event_bus.h"
#include "control/gate.h"
#include "control/line.h"
#include "control/live_index.h"
#include "control/runner_client.h"
#include "control/service_clock.h"
#include "control/task_scope.h"
#include "store/store.h"

namespace sebring::control {

// One machine, one runner.
inline constexpr const char* kLocalRunnerId = "local";

struct Control {
  const ControlConfig& config;
  asio::any_io_executor executor;
  store::Store& store;
  RunnerClient& runner;
  const Clock& clock;
  ServiceClock& service;
  Lines& lines;
  Gate& creates;
  EventBus& events;
  LiveIndex& live;
  TaskScope& tasks;
  // "<organization>/<name>" of creates and renames whose row is not committed yet.
  std::set<std::string> names_in_flight;
  // Sandboxes that an archive or restore works on now.
  std::set<std::string> long_jobs;
  // Ids of snapshots that the runner may have while their row is not committed yet.
  std::set<std::string> snapshots_in_flight;
  // Called when a sandbox may have left its wanted state behind; set by the reconciler.
  std::function<void(std::string sandbox_id)> needs_repair;
};

}  // namespace sebring::control
