#include "control/reap_idle.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "control/archive_job.h"
#include "control/idle_probe.h"
#include "control/log.h"
#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {
namespace {

using model::kMinuteMs;
using model::SandboxState;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kLookEvery = 1s;
constexpr std::size_t kInARow = 4096;  // buckets; some milliseconds
constexpr int kFlushEvery = 10;        // looks
constexpr int kPurgeEvery = 600;       // looks
constexpr std::int64_t kKeepDestroyedMs = 24 * 60 * kMinuteMs;
// Tokens and logins end by the wall clock. One that is a day wrong for an hour must not have cost them for good.
constexpr std::int64_t kKeepExpiredMs = 2 * 24 * 60 * kMinuteMs;
// An event is told this long before an idle sandbox is stopped, so that whoever wants it can say so.
constexpr std::int64_t kWarnMs = kMinuteMs;
// What could not be done (a parent has forks, a disk is full, the runner is away) is tried again after this: every
// second it would fill the log and keep the database busy for as long as the reason lasts, which may be for ever.
constexpr std::int64_t kAgainMs = 10'000;

enum class Due { nothing, stop, pause, archive, destroy };

struct Outlook {
  Due due = Due::nothing;
  std::int64_t in_ms = 0;  // until then; not positive: now
};

bool is_resting(SandboxState state) {
  return state == SandboxState::stopped || state == SandboxState::archived || state == SandboxState::error ||
         state == SandboxState::build_failed;
}

// What comes next for it, and when.
Outlook outlook(const Control& control, const LiveSandbox& live, model::ServiceMs now) {
  // The one it was linked to is gone: it goes too, whatever way that one went.
  if (!live.linked_to.empty() && !control.live.all().contains(live.linked_to)) return {Due::destroy, 0};
  const model::Intervals& intervals = live.intervals;
  if (intervals.ttl > 0 && live.created + intervals.ttl_after_ms + intervals.ttl * kMinuteMs <= now)
    return {Due::destroy, 0};
  if (live.state == SandboxState::started) {
    const model::ServiceMs idle_since = *live.holds > 0 ? now : std::max(live.active, live.since);
    if (intervals.stop > 0) return {Due::stop, idle_since + intervals.stop * kMinuteMs - now};
    if (intervals.pause > 0) return {Due::pause, idle_since + intervals.pause * kMinuteMs - now};
    return {};
  }
  if (is_resting(live.state) && intervals.destroy >= 0 && live.state != SandboxState::error) {
    const std::int64_t in_ms = live.since + intervals.destroy * kMinuteMs - now;
    if (in_ms <= 0) return {Due::destroy, in_ms};
  }
  if (live.state == SandboxState::stopped && intervals.archive > 0 && intervals.destroy != 0) {
    return {Due::archive, live.since + intervals.archive * kMinuteMs - now};
  }
  return {};
}

asio::awaitable<Result<void>> do_due(Control& control, Held& held, Due due) {
  switch (due) {
    case Due::stop:
      co_return co_await halt_sandbox(control, held, false);
    case Due::archive:
      if (control.long_jobs.contains(held.sandbox.id)) co_return Result<void>{};
      co_return co_await begin_archiving(control, held);
    case Due::destroy:
      co_return co_await destroy_sandbox(control, held);
    case Due::pause:
    case Due::nothing:
      break;
  }
  co_return Result<void>{};
}

// The rule that a parent outlives its forks holds for timers too.
asio::awaitable<bool> waits_for_forks(Control& control, const model::Sandbox& sandbox) {
  const auto& head = sandbox.linked_sandbox_id;
  if (head && control.live.find(*head) == nullptr) co_return false;
  auto forks = co_await control.store.sandboxes.forks_of(sandbox.id, false);
  co_return !forks || !forks->empty();
}

asio::awaitable<void> act(Control& control, std::string id) {
  auto found = co_await hold_by_id(control, id);
  if (!found || !*found) co_return;
  Held& held = **found;
  // Looked at again now that nobody else can change it: somebody may have used or started it meanwhile.
  auto* live = control.live.find(id);
  if (live == nullptr) co_return;
  const Outlook now = outlook(control, *live, control.service.now());
  if (now.due == Due::nothing || now.in_ms > 0) co_return;
  if (now.due == Due::destroy && co_await waits_for_forks(control, held.sandbox)) co_return;
  log_info("sandbox " + id + ": time to " +
           (now.due == Due::stop      ? "stop"
            : now.due == Due::pause   ? "pause"
            : now.due == Due::archive ? "archive"
                                      : "delete"));
  if (now.due == Due::pause) {
    const std::string organization = held.sandbox.organization_id;
    held.place.leave();
    auto paused = co_await pause_sandbox(control, organization, id);
    if (!paused) log_warning("pause idle sandbox " + id + ": " + paused.error().message());
    co_return;
  }
  if (auto done = co_await do_due(control, held, now.due); !done) {
    log_warning("idle sandbox " + id + ": " + done.error().message());
  }
}

void note_use(const Control& control, LiveSandbox& live) {
  live.active = control.service.now();
  live.active_at = control.clock.wall_ms();
  live.activity_unsaved = true;
  live.warned = false;
}

// Idle by the clock, but at work: its time begins anew. Nobody stands in line behind these questions.
asio::awaitable<bool> is_at_work(Control& control, std::string id) {
  auto* live = control.live.find(id);
  if (live == nullptr || live->state != SandboxState::started) co_return false;
  const Outlook before = outlook(control, *live, control.service.now());
  if (before.due != Due::stop && before.due != Due::pause) co_return false;
  if (!co_await is_working(control, id)) co_return false;
  live = control.live.find(id);
  if (live == nullptr) co_return false;
  note_use(control, *live);
  co_return true;
}

asio::awaitable<void> act_when_idle(Control& control, std::string id) {
  if (!co_await is_at_work(control, id)) co_await act(control, id);
  auto* live = control.live.find(id);
  if (live == nullptr) co_return;
  live->acting = false;
  live->rests_until = control.service.now() + kAgainMs;
}

asio::awaitable<void> warn(Control& control, std::string id, std::string_view action, std::int64_t in_ms) {
  co_await note_usage(control, id);
  if (!control.events.heard()) co_return;
  auto row = co_await control.store.sandboxes.find(id);
  if (!row || !*row) co_return;
  control.events.publish({(*row)->organization_id, SandboxIdleSoon{**row, action, in_ms}});
}

}  // namespace

void Reaper::start() { control_.tasks.spawn("idle sandboxes", run()); }

void Reaper::look_at(const std::string& id, LiveSandbox& live, model::ServiceMs now) {
  const Outlook next = outlook(control_, live, now);
  if (next.due == Due::nothing || next.in_ms > kWarnMs) return;
  if (next.in_ms <= 0) {
    // A busy one is looked at again in a second; its state is about to change anyway.
    if (control_.lines.busy(id) || live.acting || now < live.rests_until) return;
    live.acting = true;
    control_.tasks.spawn("idle sandbox", act_when_idle(control_, id));
    return;
  }
  const bool told = next.due == Due::stop || next.due == Due::pause;
  if (told && !live.warned) {
    live.warned = true;
    control_.tasks.spawn("idle soon", warn(control_, id, next.due == Due::stop ? "stop" : "pause", next.in_ms));
  }
}

// Others have their turn after some thousand. Who comes or moves meanwhile may be left out this time.
asio::awaitable<void> Reaper::for_each(Visit visit) {
  auto& all = control_.live.all();
  for (std::size_t bucket = 0, seen = 0; bucket < all.bucket_count(); ++bucket) {
    for (auto one = all.begin(bucket); one != all.end(bucket); ++one) visit(one->first, one->second);
    if (++seen % kInARow == 0) co_await asio::post(control_.executor, asio::use_awaitable);
  }
}

void Reaper::look() {
  for (auto& [id, live] : control_.live.all()) look_at(id, live, control_.service.now());
}

asio::awaitable<void> Reaper::flush() {
  std::vector<store::SandboxStore::Activity> activities;
  co_await for_each([&](const std::string& id, LiveSandbox& live) {
    // Use that goes on for hours has to be known after a crash too, before its client is back.
    if (*live.holds > 0) note_use(control_, live);
    if (!live.activity_unsaved) return;
    live.activity_unsaved = false;
    activities.push_back({id, live.active_at, live.active});
  });
  auto clock = control_.store.settings.set_later("service_clock", control_.service.save());
  if (!activities.empty()) {
    auto touched = co_await control_.store.sandboxes.touch_later(std::move(activities)).wait();
    if (!touched) log_warning("activity: " + touched.error().message());
  }
  (void)co_await clock.wait();
}

asio::awaitable<void> Reaper::purge() {
  const WallMs expired_before = control_.clock.wall_ms() - kKeepExpiredMs;
  const model::ServiceMs destroyed_before = control_.service.now() - kKeepDestroyedMs;
  // Some hundred at a time, so that nobody waits long behind it for the writer; until none is left, however many come.
  // The tokens of what goes first: they would go with their rows, thousands at once.
  Result<std::int64_t> gone = 1;
  while (gone && *gone > 0 && !control_.tasks.stopping())
    gone = co_await control_.store.access_tokens.purge_of_destroyed(destroyed_before);
  gone = 1;
  while (gone && *gone > 0 && !control_.tasks.stopping())
    gone = co_await control_.store.sandboxes.purge_destroyed(destroyed_before);
  if (!gone) log_warning("purge: " + gone.error().message());
  gone = 1;
  while (gone && *gone > 0 && !control_.tasks.stopping())
    gone = co_await control_.store.access_tokens.purge(expired_before);
  if (!gone) log_warning("purge: " + gone.error().message());
  auto logins = co_await control_.store.logins.purge(expired_before);
  if (!logins) log_warning("purge: " + logins.error().message());
}

asio::awaitable<void> Reaper::run() {
  asio::steady_timer timer(control_.executor);
  for (int round = 1;; ++round) {
    timer.expires_after(kLookEvery);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error || control_.tasks.stopping()) co_return;
    co_await for_each(
        [this, now = control_.service.now()](const std::string& id, LiveSandbox& live) { look_at(id, live, now); });
    if (round % kFlushEvery == 0) co_await flush();
    if (round % kPurgeEvery == 0) co_await purge();
  }
}

}  // namespace sebring::control
