#include "control/reconcile.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "control/copies.h"
#include "control/linked_group.h"
#include "control/log.h"
#include "control/repair.h"
#include "control/settle.h"

namespace sebring::control {
namespace {

using model::SandboxState;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kReconnectFirst = 50ms;
constexpr std::chrono::milliseconds kReconnectMax = 1s;
constexpr std::chrono::milliseconds kLookAgain = 20s;
// Together longer than any call to the runner may take.
constexpr int kLooksAfterConnect = 2;
// Some rows cost a commit each; a disk that others keep busy has needed a second for one.
constexpr std::chrono::milliseconds kFirstComparisonMax = 15s;
constexpr std::chrono::milliseconds kRepairFirst = 200ms;
constexpr std::chrono::milliseconds kRepairMax = 10s;

// How long a transition may take before it has failed. Deleting never fails, it only goes on.
std::int64_t deadline_ms(SandboxState state) {
  switch (state) {
    case SandboxState::creating:
    case SandboxState::pulling_snapshot:
      return 15 * model::kMinuteMs;
    case SandboxState::restoring:
    case SandboxState::archiving:
      return 60 * model::kMinuteMs;
    case SandboxState::destroying:
      return 0;
    default:
      return 5 * model::kMinuteMs;
  }
}

// Whether row and report say the same, so that nothing needs to be read or written.
bool agrees(SandboxState state, const RunnerReport* report) {
  if (report == nullptr) return state == SandboxState::archived || state == SandboxState::build_failed;
  switch (report->state) {
    case RunnerState::running:
      return state == SandboxState::started;
    case RunnerState::paused:
      return state == SandboxState::paused;
    case RunnerState::stopped:
      return state == SandboxState::stopped || state == SandboxState::error;
  }
  return false;
}

}  // namespace

Reconciler::Reconciler(Control& control) : control_(control), first_look_(control.executor) {
  control_.needs_repair = [this](std::string id) { request_repair(std::move(id)); };
}

asio::awaitable<Result<void>> Reconciler::load() {
  // One by one: a hundred thousand rows are more memory than all that is kept of them.
  std::vector<Sandbox> cut_backups;
  SB_CO_CHECK(control_.store.sandboxes.each_living([&](Sandbox row) {
    control_.live.put(row);
    if (row.backup_state == model::BackupState::in_progress) cut_backups.push_back(std::move(row));
  }));
  for (Sandbox& row : cut_backups) {
    // Nobody works on it any more; what had been written of it is removed as nobody's.
    row.backup_state = model::BackupState::error;
    auto written = co_await control_.store.sandboxes.update_later(row, db::Urgency::now).wait();
    if (!written) log_warning("backup of sandbox " + row.id + ": " + written.error().message());
  }
  log_info(std::to_string(control_.live.size()) + " sandboxes in the database");
  co_return Result<void>{};
}

void Reconciler::start() {
  control_.tasks.spawn("follow runner", follow_runner());
  control_.tasks.spawn("look again", look_again());
}

// What an earlier life of ours had ordered may still be carried out when the runner is listed first.
asio::awaitable<void> Reconciler::look_again() {
  while (co_await pause(kLookAgain)) {
    if (control_.tasks.stopping()) co_return;
    if (!in_step_) continue;
    if (comparisons_due_ > 0) {
      --comparisons_due_;
      if (auto done = co_await compare_inventory(); !done)
        log_warning("inventory of the runner: " + done.error().message());
    }
    if (auto done = co_await remove_unowned_copies(control_); !done)
      log_warning("copies on the runner: " + done.error().message());
  }
}

asio::awaitable<void> Reconciler::first_look(std::chrono::milliseconds longest) {
  if (looked_) co_return;
  first_look_.expires_after(longest);
  co_await first_look_.async_wait(asio::as_tuple(asio::use_awaitable));
  if (looked_ || !looking_) co_return;
  first_look_.expires_after(kFirstComparisonMax);
  co_await first_look_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<bool> Reconciler::pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(control_.executor, time);
  auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

asio::awaitable<void> Reconciler::follow_runner() {
  auto wait = kReconnectFirst;
  while (!control_.tasks.stopping()) {
    auto heard = [this, &wait](RunnerEvent event) {
      if (event.kind == RunnerEvent::Kind::exited) {
        control_.tasks.spawn("exit of sandbox", handle_exit(std::move(event.id), std::move(event.cause)));
        return;
      }
      wait = kReconnectFirst;
      control_.tasks.spawn("compare inventory", [](Reconciler& self) -> asio::awaitable<void> {
        auto done = co_await self.compare_inventory();
        self.in_step_ = done.has_value();
        self.comparisons_due_ = kLooksAfterConnect;
        if (!done) log_warning("inventory of the runner: " + done.error().message());
      }(*this));
    };
    auto ended = co_await control_.runner.listen(heard);
    if (control_.tasks.stopping()) co_return;
    if (in_step_) log_warning("the runner is gone: " + (ended ? "its events ended" : ended.error().message()));
    in_step_ = false;
    if (!co_await pause(wait)) co_return;
    wait = std::min(wait * 2, kReconnectMax);
  }
}

asio::awaitable<Result<void>> Reconciler::compare_inventory() {
  SB_CO_TRY(auto reports, co_await control_.runner.list());
  std::map<std::string, RunnerReport> held;
  for (RunnerReport& report : reports) held.emplace(report.id, std::move(report));
  std::vector<std::string> resting, moving;
  for (const auto& [id, live] : control_.live.all())
    (model::is_transitional(live.state) ? moving : resting).push_back(id);
  looking_ = true;
  co_await compare_all(resting, held);
  looking_ = false;
  looked_ = true;
  first_look_.cancel();
  co_await compare_all(moving, held);
  for (const auto* ids : {&resting, &moving})
    for (const std::string& id : *ids) held.erase(id);
  // What is left nobody asked for: a create whose row never reached the disk, a delete that was cut.
  for (const auto& [id, report] : held) co_await remove_unknown(id);
  refresh_groups(control_);
  co_return Result<void>{};
}

asio::awaitable<void> Reconciler::compare_all(const std::vector<std::string>& ids,
                                              const std::map<std::string, RunnerReport>& held) {
  using namespace asio::experimental::awaitable_operators;
  std::size_t next = 0;
  auto worker = [&]() -> asio::awaitable<void> {
    while (next < ids.size()) {
      const std::string& id = ids[next++];
      auto found = held.find(id);
      auto done = co_await compare_one(id, found == held.end() ? nullptr : &found->second);
      if (!done) request_repair(id);
    }
  };
  co_await (worker() && worker() && worker() && worker() && worker() && worker() && worker() && worker());
}

asio::awaitable<Result<void>> Reconciler::compare_one(std::string id, const RunnerReport* report) {
  auto* live = control_.live.find(id);
  if (live == nullptr || control_.lines.busy(id)) {
    // Somebody works on it: who does so has a fresher answer than this inventory.
    co_return Result<void>{};
  }
  if (agrees(live->state, report)) {
    if (report != nullptr) {
      live->socket = report->socket;
      live->address = report->address;
    }
    co_return Result<void>{};
  }
  SB_CO_TRY(auto held, co_await hold_by_id(control_, id));
  if (!held) co_return Result<void>{};
  // Asked again, now that nobody else changes it.
  co_return co_await repair(control_, *held);
}

asio::awaitable<void> Reconciler::remove_unknown(std::string id) {
  auto held = co_await hold_by_id(control_, id);
  if (!held) co_return;
  if (*held && (*held)->sandbox.state != SandboxState::destroyed) co_return;
  log_info("removing " + id + " from the runner: no row wants it");
  if (auto removed = co_await control_.runner.remove(id); !removed) {
    log_warning("remove " + id + ": " + removed.error().message());
  }
}

asio::awaitable<void> Reconciler::handle_exit(std::string id, RunnerCause cause) {
  auto held = co_await hold_by_id(control_, id);
  if (!held || !*held) co_return;
  // The one who stood in line before us may have dealt with it, or started it again: the runner knows.
  auto report = co_await control_.runner.get(id);
  const auto state = (*held)->sandbox.visible();
  if (state != SandboxState::started && state != SandboxState::paused) co_return;
  if (report && report->state != RunnerState::stopped) co_return;
  if (auto done = co_await settle_exit(control_, **held, cause); !done) request_repair(id);
}

void Reconciler::request_repair(std::string id) {
  if (!repairing_.insert(id).second) return;
  control_.tasks.spawn("repair sandbox", repair_until_done(std::move(id)));
}

asio::awaitable<void> Reconciler::repair_until_done(std::string id) {
  auto wait = kRepairFirst;
  for (;;) {
    if (!co_await pause(wait)) break;
    auto done = co_await repair_once(id);
    if (done && *done) break;
    wait = std::min(wait * 2, kRepairMax);
  }
  repairing_.erase(id);
}

// True when there is nothing left to do.
asio::awaitable<Result<bool>> Reconciler::repair_once(std::string id) {
  SB_CO_TRY(auto found, co_await hold_by_id(control_, id));
  if (!found) {
    control_.live.erase(id);
    co_return true;
  }
  Held& held = *found;
  control_.live.put(held.sandbox);
  if (held.sandbox.state == SandboxState::destroyed) co_return true;
  auto repaired = co_await repair(control_, held);
  if (repaired) {
    co_return !model::is_transitional(held.sandbox.visible());
  }
  const SandboxState state = held.sandbox.visible();
  const std::int64_t limit = deadline_ms(state);
  const bool late = limit > 0 && control_.service.now() - held.sandbox.since > limit;
  if (!late || !model::is_transitional(state)) co_return false;
  const auto desired = held.sandbox.desired;
  set_error(control_, held.sandbox,
            "Timed out while " + std::string(model::to_text(state)) + ": " + repaired.error().message(), true);
  SB_CO_CHECK(co_await save(control_, held.sandbox, state, desired));
  co_return true;
}

}  // namespace sebring::control
