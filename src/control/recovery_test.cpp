#include <doctest/doctest.h>

#include "control/access.h"
#include "control/sandbox_change.h"
#include "control/test_bench.h"

namespace sebring::control {
namespace {

using model::DesiredState;
using model::SandboxState;

// Writes a row as a crash would have left it.
void force(TestBench& bench, const std::string& id, SandboxState state, DesiredState desired) {
  model::Sandbox row = bench.row(id);
  row.state = state;
  row.desired = desired;
  bench.run(bench.control().store.sandboxes.update_later(row, db::Urgency::now).wait()).value();
}

TEST_CASE("a restart of control touches no running sandbox") {
  TestBench bench;
  const auto made = bench.create();
  const int calls = bench.runner.calls;
  bench.restart();
  REQUIRE(bench.until([&] { return bench.life->reconciler.in_step(); }));
  CHECK(bench.runner.calls == calls);
  CHECK(bench.state(made.id) == SandboxState::started);
  CHECK(bench.control().live.find(made.id)->socket == bench.runner.held[made.id].socket);
  CHECK(bench.control().live.used(bench.organization).cpu == 1);
}

TEST_CASE("whatever a crash left, a restart brings it to rest") {
  const RunnerState kNothing = static_cast<RunnerState>(-1);
  struct Row {
    SandboxState state;
    DesiredState desired;
    RunnerState held;
    SandboxState then;
  } rows[] = {
      {SandboxState::creating, DesiredState::started, kNothing, SandboxState::started},
      {SandboxState::creating, DesiredState::started, RunnerState::running, SandboxState::started},
      {SandboxState::starting, DesiredState::started, RunnerState::stopped, SandboxState::started},
      {SandboxState::starting, DesiredState::started, RunnerState::running, SandboxState::started},
      {SandboxState::starting, DesiredState::started, kNothing, SandboxState::error},
      {SandboxState::stopping, DesiredState::stopped, RunnerState::running, SandboxState::stopped},
      {SandboxState::stopping, DesiredState::stopped, RunnerState::stopped, SandboxState::stopped},
      {SandboxState::destroying, DesiredState::destroyed, RunnerState::running, SandboxState::destroyed},
      {SandboxState::destroying, DesiredState::destroyed, kNothing, SandboxState::destroyed},
      {SandboxState::started, DesiredState::destroyed, RunnerState::running, SandboxState::destroyed},
      {SandboxState::pausing, DesiredState::paused, RunnerState::paused, SandboxState::paused},
      {SandboxState::pausing, DesiredState::paused, RunnerState::running, SandboxState::started},
      {SandboxState::resuming, DesiredState::started, RunnerState::paused, SandboxState::started},
      {SandboxState::resizing, DesiredState::started, RunnerState::running, SandboxState::started},
      {SandboxState::resizing, DesiredState::stopped, RunnerState::stopped, SandboxState::stopped},
      {SandboxState::archiving, DesiredState::archived, RunnerState::stopped, SandboxState::stopped},
      {SandboxState::restoring, DesiredState::started, RunnerState::stopped, SandboxState::archived},
      {SandboxState::restoring, DesiredState::started, kNothing, SandboxState::archived},
      {SandboxState::started, DesiredState::started, RunnerState::stopped, SandboxState::stopped},
      {SandboxState::started, DesiredState::started, kNothing, SandboxState::error},
      {SandboxState::stopped, DesiredState::stopped, RunnerState::running, SandboxState::stopped},
      {SandboxState::stopped, DesiredState::stopped, kNothing, SandboxState::error},
      {SandboxState::error, DesiredState::stopped, RunnerState::running, SandboxState::error},
      {SandboxState::archived, DesiredState::archived, RunnerState::stopped, SandboxState::archived},
  };
  TestBench bench;
  for (const Row& row : rows) {
    const auto made = bench.create();
    CAPTURE(model::to_text(row.state));
    CAPTURE(model::to_text(row.then));
    CAPTURE(static_cast<int>(row.held));
    force(bench, made.id, row.state, row.desired);
    if (row.held == kNothing) {
      bench.runner.held.erase(made.id);
    } else {
      bench.runner.held[made.id].state = row.held;
    }
    bench.restart();
    CHECK(bench.until([&] { return bench.state(made.id) == row.then && !bench.control().lines.busy(made.id); }));
    const bool held = bench.runner.held.contains(made.id);
    const bool gone = row.then == SandboxState::destroyed || row.then == SandboxState::archived;
    if (gone) CHECK_FALSE(held);
    if (row.then == SandboxState::started) CHECK(bench.runner.held[made.id].state == RunnerState::running);
    if (held && row.then == SandboxState::error) CHECK(bench.runner.held[made.id].state == RunnerState::stopped);
  }
}

TEST_CASE("what no row wants is removed from the runner") {
  TestBench bench;
  bench.runner.held["11111111-1111-4111-8111-111111111111"] = {
      "11111111-1111-4111-8111-111111111111", RunnerState::running, "", "boot-1", {}};
  bench.runner.cut();
  CHECK(bench.until([&] { return bench.runner.held.empty(); }));
}

TEST_CASE("a sandbox that dies says why and can be recovered") {
  TestBench bench;
  const auto made = bench.create();
  bench.runner.die(made.id, {"out_of_memory", "", 1LL << 30, 1LL << 30, "python3"});
  REQUIRE(bench.until([&] { return bench.state(made.id) == SandboxState::error; }));
  CHECK(bench.row(made.id).error_reason ==
        "Sandbox ran out of memory: limit 1024 MiB, peak 1024 MiB, killed process python3");
  CHECK(bench.row(made.id).recoverable);
  CHECK(bench.run(start_sandbox(bench.control(), bench.organization, made.id)).error().message() ==
        "Sandbox is in an errored state");
  CHECK(bench.run(recover_sandbox(bench.control(), bench.organization, made.id, false)).value().visible() ==
        SandboxState::started);
  CHECK_FALSE(bench.row(made.id).error_reason);
}

TEST_CASE("a reboot leaves sandboxes stopped, not failed") {
  TestBench bench;
  const auto made = bench.create();
  bench.runner.held[made.id].state = RunnerState::stopped;
  bench.runner.held[made.id].cause = RunnerCause{"reboot", "", {}, {}, ""};
  bench.boot_id = bench.runner.boot_id = "boot-2";
  bench.clock.steady_ms = 5'000;
  bench.restart();
  CHECK(bench.until([&] { return bench.state(made.id) == SandboxState::stopped; }));
  CHECK(bench.run(start_sandbox(bench.control(), bench.organization, made.id)).value().visible() ==
        SandboxState::started);
}

TEST_CASE("a runner that is away leaves things as they are, then they go on") {
  TestBench bench;
  const auto made = bench.create();
  bench.runner.reachable = false;
  bench.runner.cut();
  const auto stopped = bench.run(stop_sandbox(bench.control(), bench.organization, made.id, false));
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code() == Errc::unavailable);
  CHECK(bench.state(made.id) == SandboxState::stopping);
  const auto deleted = bench.run(delete_sandbox(bench.control(), bench.organization, made.id)).value();
  CHECK(deleted.visible() == SandboxState::destroying);
  bench.runner.reachable = true;
  CHECK(bench.until([&] { return bench.state(made.id) == SandboxState::destroyed; }));
  CHECK(bench.runner.held.empty());
}

TEST_CASE("idle sandboxes are stopped after their time, whatever the wall clock does") {
  TestBench bench;
  const auto made = bench.create();
  bench.clock.wall += 24 * 60 * 60'000;
  bench.life->reaper.look();
  bench.clock.wall -= 48LL * 60 * 60'000;
  bench.life->reaper.look();
  bench.restart();
  REQUIRE(bench.until([&] { return bench.life->reconciler.in_step(); }));
  bench.life->reaper.look();
  bench.until([&] { return bench.state(made.id) != SandboxState::started; });
  CHECK(bench.state(made.id) == SandboxState::started);
  bench.clock.advance_minutes(14);
  bench.life->reaper.look();
  CHECK(bench.state(made.id) == SandboxState::started);
  bench.clock.advance_minutes(1);
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(made.id) == SandboxState::stopped; }));
  // Archived a week later, deleted never.
  bench.clock.advance_minutes(10'079);
  bench.life->reaper.look();
  CHECK(bench.state(made.id) == SandboxState::stopped);
  bench.clock.advance_minutes(1);
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(made.id) == SandboxState::archived; }));
}

TEST_CASE("use keeps a sandbox from being idle, over a restart too") {
  TestBench bench;
  Authenticator authenticator(bench.control());
  const auto made = bench.create();
  bench.clock.advance_minutes(14);
  auto* live = bench.control().live.find(made.id);
  {
    AccessControl access(bench.control(), authenticator);
    auto hold = access.hold_activity(made.id);
    bench.clock.advance_minutes(60);
    bench.life->reaper.look();
    CHECK(*live->holds == 1);
  }
  CHECK(*live->holds == 0);
  bench.clock.advance_minutes(14);
  bench.life->reaper.look();
  bench.restart();
  REQUIRE(bench.until([&] { return bench.life->reconciler.in_step(); }));
  bench.life->reaper.look();
  CHECK(bench.state(made.id) == SandboxState::started);
  bench.clock.advance_minutes(1);
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(made.id) == SandboxState::stopped; }));
}

TEST_CASE("time to live and auto-delete") {
  TestBench bench;
  CreateSandbox create = bench.asked();
  create.ttl_minutes = 30;
  create.stop_minutes = 0;
  const auto mortal = bench.run(create_sandbox(bench.control(), create)).value();
  CHECK(mortal.auto_destroy_at == mortal.created_at + 30 * 60'000);
  create.ttl_minutes = std::nullopt;
  create.destroy_minutes = 10;
  const auto stopped = bench.run(create_sandbox(bench.control(), create)).value();
  bench.run(stop_sandbox(bench.control(), bench.organization, stopped.id, false)).value();
  bench.clock.advance_minutes(10);
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(stopped.id) == SandboxState::destroyed; }));
  CHECK(bench.state(mortal.id) == SandboxState::started);
  bench.clock.advance_minutes(20);
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(mortal.id) == SandboxState::destroyed; }));
}

TEST_CASE("the service clock") {
  FakeClock clock;
  ServiceClock first(clock, "a", std::nullopt);
  const auto start = first.now();
  clock.wall += 86'400'000;
  CHECK(first.now() == start);
  clock.steady_ms += 1'000;
  CHECK(first.now() == start + 1'000);
  const std::string saved = first.save();
  clock.steady_ms += 500;
  CHECK(ServiceClock(clock, "a", saved).now() == start + 1'500);
  // Another boot: the wall clock, bounded on both sides.
  struct Row {
    std::int64_t wall;
    std::int64_t expected;
  } rows[] = {{0, 0}, {5'000, 5'000}, {-5'000, 0}, {400LL * 86'400'000, ServiceClock::kGapMax}};
  for (const Row& row : rows) {
    FakeClock later = clock;
    later.wall += row.wall;
    later.steady_ms = 7;
    CHECK(ServiceClock(later, "b", saved).now() == start + 1'000 + row.expected);
  }
  for (const char* broken : {"", "x", "1 2 3", "a b c d", "1 2 3 4 5"}) {
    CHECK(ServiceClock(clock, "a", std::string(broken)).now() == clock.wall);
  }
}

}  // namespace
}  // namespace sebring::control
