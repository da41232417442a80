#pragma once
// A control plane in a temporary directory with a fake runner and a clock that tests move.
#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "base/time.h"
#include "control/api_keys.h"
#include "control/control.h"
#include "control/create_sandbox.h"
#include "control/default_snapshots.h"
#include "control/fake_runner.h"
#include "control/reap_idle.h"
#include "control/reconcile.h"
#include "control/sandbox_use_cases.h"
#include "control/settle.h"

namespace sebring::control {

class FakeClock final : public Clock {
 public:
  WallMs wall_ms() const override { return wall; }
  Steady::time_point steady() const override { return Steady::time_point(std::chrono::milliseconds(steady_ms)); }
  void advance_minutes(std::int64_t minutes) {
    wall += minutes * 60'000;
    steady_ms += minutes * 60'000;
  }
  WallMs wall = 1'750'000'000'000;
  std::int64_t steady_ms = 1'000'000;
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/sebring-test-XXXXXX";
    SB_ASSERT(mkdtemp(name) != nullptr);
    path = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  std::string path;
};

struct TestBench {
  // Everything of one life of the control process.
  struct Life {
    Life(TestBench& bench, std::unique_ptr<store::Store> opened, std::optional<std::string> saved)
        : store(std::move(opened)),
          service(bench.clock, bench.boot_id, saved),
          lines(bench.io.get_executor()),
          creates(bench.io.get_executor(), bench.config.creates_at_once, bench.config.creates_waiting_max),
          tasks(bench.io.get_executor()),
          control{.config = bench.config,
                  .executor = bench.io.get_executor(),
                  .store = *store,
                  .runner = bench.runner,
                  .clock = bench.clock,
                  .service = service,
                  .lines = lines,
                  .creates = creates,
                  .events = events,
                  .live = live,
                  .tasks = tasks,
                  .names_in_flight = {},
                  .long_jobs = {},
                  .snapshots_in_flight = {},
                  .needs_repair = {}},
          reconciler(control),
          reaper(control) {}
    std::unique_ptr<store::Store> store;
    ServiceClock service;
    Lines lines;
    Gate creates;
    EventBus events;
    LiveIndex live;
    TaskScope tasks;
    Control control;
    Reconciler reconciler;
    Reaper reaper;
  };

  TestBench() {
    begin();
    organization = run(ensure_organization(control())).value().id;
    model::Snapshot image;
    image.image.layers = {"sha256:" + std::string(64, '1')};
    run(put_default_snapshots(control(), "default", image)).value();
  }
  ~TestBench() { end(); }

  // Runs a coroutine to its end, and whatever else is due meanwhile.
  template <class T>
  T run(asio::awaitable<T> task) {
    std::optional<T> outcome;
    std::exception_ptr thrown;
    asio::co_spawn(io, std::move(task), [&](std::exception_ptr error, T value) {
      thrown = error;
      outcome.emplace(std::move(value));
    });
    io.restart();
    while (!outcome) io.run_one();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*outcome);
  }
  // Lets background work go on until `done` says so; false after `longest`, which a busy machine does not reach.
  template <class Done>
  bool until(Done done, std::chrono::seconds longest = std::chrono::seconds(60)) {
    const auto end = Steady::now() + longest;
    io.restart();
    while (!done()) {
      if (Steady::now() > end) return false;
      io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  void begin() {
    auto store = store::Store::open(directory.path + "/test.db", io.get_executor());
    auto saved = run((*store)->settings.find("service_clock")).value();
    life = std::make_unique<Life>(*this, std::move(*store), saved);
    run(life->reconciler.load()).value();
    life->reconciler.start();
  }
  // As when the process is stopped cleanly; what was in flight is cut.
  void end() {
    if (!life) return;
    run([](Life& life) -> asio::awaitable<bool> {
      co_await life.tasks.stop();
      co_await life.reaper.flush();
      co_return true;
    }(*life));
    io.restart();
    io.poll();
    life.reset();
  }
  void restart() {
    end();
    begin();
  }

  Control& control() { return life->control; }
  CreateSandbox asked(std::optional<std::string> name = std::nullopt) {
    CreateSandbox create;
    create.organization_id = organization;
    create.name = std::move(name);
    return create;
  }
  model::Sandbox create(std::optional<std::string> name = std::nullopt) {
    return run(create_sandbox(control(), asked(std::move(name)))).value();
  }
  // The row as it is now; destroyed ones too.
  model::Sandbox row(const std::string& id) { return run(control().store.sandboxes.find(id)).value().value(); }
  model::SandboxState state(const std::string& id) { return row(id).visible(); }

  TemporaryDirectory directory;
  asio::io_context io{1};
  FakeClock clock;
  std::string boot_id = "boot-1";
  ControlConfig config = [] {
    ControlConfig c;
    c.version = "test";
    return c;
  }();
  FakeRunner runner{io.get_executor()};
  std::unique_ptr<Life> life;
  std::string organization;
};

}  // namespace sebring::control
