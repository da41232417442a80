#include <doctest/doctest.h>

#include <fstream>

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

TEST_CASE("after a reboot nothing is served before the rows say so") {
  TestBench bench;
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(bench.create().id);
  force(bench, ids[0], SandboxState::stopping, DesiredState::stopped);  // takes its time
  for (const std::string& id : ids) bench.runner.held[id].state = RunnerState::stopped;
  bench.restart();
  bench.run([](Reconciler& reconciler) -> asio::awaitable<bool> {
    co_await reconciler.first_look(std::chrono::seconds(20));
    co_return true;
  }(bench.life->reconciler));
  for (const std::string& id : ids) {
    if (id != ids[0]) CHECK(bench.state(id) == SandboxState::stopped);
  }
}

TEST_CASE("what has begun to be compared when the time is over is compared to its end") {
  TestBench bench;
  std::vector<std::string> ids;
  for (int i = 0; i < 24; ++i) ids.push_back(bench.create().id);
  for (const std::string& id : ids) bench.runner.held[id].state = RunnerState::stopped;
  bench.runner.get_delay = std::chrono::milliseconds(500);  // eight at once
  bench.restart();
  bench.run([](Reconciler& reconciler) -> asio::awaitable<bool> {
    co_await reconciler.first_look(std::chrono::seconds(1));
    co_return true;
  }(bench.life->reconciler));
  for (const std::string& id : ids) CHECK(bench.state(id) == SandboxState::stopped);
}

TEST_CASE("without a runner the rows are served as they are") {
  TestBench bench;
  const auto made = bench.create();
  bench.end();
  bench.runner.reachable = false;
  bench.begin();
  bench.run([](Reconciler& reconciler) -> asio::awaitable<bool> {
    co_await reconciler.first_look(std::chrono::milliseconds(50));
    co_return true;
  }(bench.life->reconciler));
  CHECK(bench.state(made.id) == SandboxState::started);
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

// What a crash at the moment of a call to the runner would find on disk.
struct Witness {
  explicit Witness(TestBench& bench)
      : connection(db::Connection::open(bench.directory.path + "/test.db", db::Connection::Mode::read).value()) {
    bench.runner.before_change = [this] { seen.push_back(visible()); };
  }
  std::string visible() {
    auto query = connection.query("SELECT visible FROM sandboxes WHERE name='one'").value();
    return query.step().value() ? query.text(0) : "none";
  }
  db::Connection connection;
  std::vector<std::string> seen;
};

TEST_CASE("nothing is taken away before the row says so") {
  TestBench bench;
  bench.create("one");
  Witness witness(bench);
  auto& control = bench.control();
  bench.run(pause_sandbox(control, bench.organization, "one")).value();
  bench.run(start_sandbox(control, bench.organization, "one")).value();
  bench.run(resize_sandbox(control, bench.organization, "one", {2, {}, {}})).value();
  bench.run(stop_sandbox(control, bench.organization, "one", false)).value();
  bench.run(delete_sandbox(control, bench.organization, "one")).value();
  bench.runner.before_change = nullptr;
  // A start may be forgotten: then it is stopped again.
  REQUIRE(witness.seen.size() == 5);
  CHECK(witness.seen[0] == "pausing");
  CHECK(witness.seen[1] != "started");
  CHECK(witness.seen[2] == "resizing");
  CHECK(witness.seen[3] == "stopping");
  CHECK(witness.seen[4] == "none");  // its name is free already
}

TEST_CASE("half a disk of a restore that was cut is not taken for a whole one") {
  TestBench bench;
  const auto made = bench.create("one");
  bench.run(stop_sandbox(bench.control(), bench.organization, "one", false)).value();
  bench.run(archive_sandbox(bench.control(), bench.organization, "one")).value();
  REQUIRE(bench.until([&] { return bench.state(made.id) == SandboxState::archived && bench.runner.held.empty(); }));
  bench.runner.held[made.id] = {made.id, RunnerState::stopped, "", "boot-1", {}};
  bench.run(start_sandbox(bench.control(), bench.organization, "one")).value();
  CHECK(bench.state(made.id) == SandboxState::started);
  CHECK(bench.runner.restored == 1);
}

TEST_CASE("an archive that is damaged, or not to be had for the moment") {
  TestBench bench;
  const auto made = bench.create("one");
  bench.run(stop_sandbox(bench.control(), bench.organization, "one", false)).value();
  bench.run(archive_sandbox(bench.control(), bench.organization, "one")).value();
  REQUIRE(bench.until([&] { return bench.state(made.id) == SandboxState::archived && bench.runner.held.empty(); }));
  bench.runner.next_error = Error(Errc::unavailable, "the object store is away");
  auto started = bench.run(start_sandbox(bench.control(), bench.organization, "one"));
  REQUIRE_FALSE(started);
  CHECK(started.error().code() == Errc::unavailable);
  CHECK(bench.state(made.id) == SandboxState::archived);
  bench.runner.next_error = Error(Errc::invalid_argument, "the archive does not have the digest");
  started = bench.run(start_sandbox(bench.control(), bench.organization, "one"));
  REQUIRE_FALSE(started);
  CHECK(started.error().code() == Errc::invalid_argument);
  CHECK(started.error().message() ==
        "Sandbox failed to start: Sandbox failed to restore: the archive does not have the digest");
  CHECK(bench.state(made.id) == SandboxState::error);
  CHECK_FALSE(bench.row(made.id).recoverable);
  CHECK(bench.run(recover_sandbox(bench.control(), bench.organization, "one", false))
            .error()
            .message()
            .starts_with("Sandbox is not recoverable: Sandbox failed to restore"));
  bench.run(delete_sandbox(bench.control(), bench.organization, "one")).value();
  CHECK(bench.control().live.used(bench.organization).disk_gib == 0);
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

TEST_CASE("a resize that nobody answered is taken back where it may have been done") {
  TestBench bench;
  const auto made = bench.create();
  bench.runner.next_error = Error(Errc::unavailable, "The runner does not answer");
  auto resized = bench.run(resize_sandbox(bench.control(), bench.organization, made.id, {.cpu = 2}));
  REQUIRE_FALSE(resized);
  CHECK(resized.error().code() == Errc::unavailable);
  REQUIRE(bench.until([&] { return bench.state(made.id) == SandboxState::started; }));
  CHECK(bench.row(made.id).resources.cpu == 1);
  CHECK(bench.runner.limits[made.id].cpus == 1);
  CHECK(bench.control().live.used(bench.organization).cpu == 1);
}

TEST_CASE("a backup that a crash cut is not in progress for ever") {
  TestBench bench;
  const auto made = bench.create();
  auto row = bench.row(made.id);
  row.backup_state = model::BackupState::in_progress;
  bench.run(bench.control().store.sandboxes.update_later(row, db::Urgency::now).wait()).value();
  bench.restart();
  CHECK(bench.row(made.id).backup_state == model::BackupState::error);
  bench.run(backup_sandbox(bench.control(), bench.organization, made.id)).value();
  CHECK(bench.until([&] { return bench.row(made.id).backup_state == model::BackupState::completed; }));
}

TEST_CASE("reasons name what a person can act on") {
  struct Row {
    RunnerCause cause;
    std::string reason;
  } rows[] = {
      {{"out_of_memory", "The memory limit was reached", 1 << 30, 1 << 29, "node"},
       "Sandbox ran out of memory: limit 1024 MiB, peak 512 MiB, killed process node"},
      {{"out_of_memory", "", std::nullopt, std::nullopt, ""}, "Sandbox ran out of memory"},
      {{"toolbox_died", "The daemon in the sandbox ended by signal 6", std::nullopt, std::nullopt, ""},
       "The sandbox's daemon ended: The daemon in the sandbox ended by signal 6"},
      {{"killed", "The sandbox was killed from outside; before, its memory limit was reached 2 times", 1 << 30, 1 << 30,
        "python3"},
       "The sandbox's processes were killed: The sandbox was killed from outside; before, its memory limit was reached "
       "2 times, limit 1024 MiB, peak 1024 MiB, killed process python3"},
      {{"other", "", std::nullopt, std::nullopt, ""}, "The sandbox ended (other)"},
  };
  for (const Row& row : rows) CHECK(reason_of(row.cause) == row.reason);
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

TEST_CASE("memory pressure lets fewer in, but always one") {
  struct Row {
    const char* text;
    std::optional<double> percent;
  } rows[] = {{"some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00", 12.5},
              {"some avg10=0.00", 0.0},
              {"full avg10=9.00", std::nullopt},
              {"some avg10=", std::nullopt},
              {"some avg10=-1", std::nullopt},
              {"some avg10=1000", std::nullopt},
              {"", std::nullopt}};
  for (const Row& row : rows) CHECK(parse_pressure(row.text) == row.percent);
  CHECK(parse_available("MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    250 kB\n") == 0.25);
  for (const char* bad : {"", "MemTotal: 1000 kB", "MemAvailable: 1 kB", "MemTotal: 0 kB\nMemAvailable: 0 kB",
                          "MemTotal: x\nMemAvailable: 1", "MemTotal: 10 kB\nMemAvailable: 11 kB"}) {
    CHECK_FALSE(parse_available(bad));
  }
  TestBench bench;
  const auto file = [&](const char* name, const char* text) {
    const std::string path = bench.directory.path + name;
    std::ofstream(path) << text;
    return path;
  };
  const std::string waits = file("/waits", "some avg10=50.00 avg60=0 avg300=0 total=0");
  const std::string calm = file("/calm", "some avg10=5.00 avg60=0 avg300=0 total=0");
  const std::string little = file("/little", "MemTotal: 1000 kB\nMemAvailable: 40 kB\n");
  const std::string much = file("/much", "MemTotal: 1000 kB\nMemAvailable: 400 kB\n");
  CHECK(MemoryPressure(waits, much).is_short());
  CHECK(MemoryPressure(calm, little).is_short());
  CHECK(MemoryPressure("/nowhere", little).is_short());  // a kernel that does not tell of waiting
  CHECK_FALSE(MemoryPressure(calm, much).is_short());
  CHECK_FALSE(MemoryPressure("/nowhere", much).is_short());
  CHECK_FALSE(MemoryPressure("/nowhere", "/nowhere").is_short());
  Gate gate(bench.io.get_executor(), 8, 3);
  gate.watch(MemoryPressure(waits, much));
  std::vector<Gate::Pass> inside;
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(bench.io, gate.enter(), [&](std::exception_ptr, Result<Gate::Pass> pass) {
      if (pass) inside.push_back(std::move(*pass));
      if (!pass) ++refused;
    });
  }
  REQUIRE(bench.until([&] { return inside.size() == 1 && gate.waiting() == 3 && refused == 1; }));
  for (int i = 0; i < 4; ++i) {
    REQUIRE(bench.until([&] { return inside.size() == 1; }));
    inside.clear();
  }
  CHECK(gate.waiting() == 0);
}

}  // namespace
}  // namespace sebring::control
