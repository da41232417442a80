// When sandboxes count as idle, and what the clock may do to them.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "control/access.h"
#include "control/idle_probe.h"
#include "control/test_bench.h"

namespace sebring::control {
namespace {

using model::SandboxState;

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
  bench.until([&] { return bench.state(made.id) != SandboxState::started; }, std::chrono::seconds(2));
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

TEST_CASE("use that goes on is written down meanwhile, for a server that is killed") {
  TestBench bench;
  Authenticator authenticator(bench.control());
  const auto made = bench.create();
  AccessControl access(bench.control(), authenticator);
  auto hold = access.hold_activity(made.id);
  auto flush = [&] {
    bench.run([](Reaper& reaper) -> asio::awaitable<bool> {
      co_await reaper.flush();
      co_return true;
    }(bench.life->reaper));
  };
  flush();
  bench.clock.advance_minutes(60);
  flush();
  CHECK(bench.row(made.id).active == bench.control().service.now());
  CHECK(bench.row(made.id).last_activity_at == bench.clock.wall_ms());
}

TEST_CASE("who computes is not idle, who only waits is") {
  TestBench bench;
  const auto made = bench.create();
  bench.clock.advance_minutes(14);
  bench.life->reaper.look();  // notes what was used until now
  REQUIRE(bench.until([&] { return bench.control().live.find(made.id)->cpu_noted.has_value(); }));
  bench.clock.advance_minutes(1);
  bench.runner.cpu_nanoseconds[made.id] = 60'000'000'000 / 10;
  bench.life->reaper.look();
  REQUIRE(bench.until([&] { return !bench.control().live.find(made.id)->acting; }));
  CHECK(bench.state(made.id) == SandboxState::started);
  bench.clock.advance_minutes(14);
  bench.life->reaper.look();
  REQUIRE(bench.until([&] { return bench.control().live.find(made.id)->cpu_noted.has_value(); }));
  bench.clock.advance_minutes(1);
  bench.runner.cpu_nanoseconds[made.id] += 1'000'000;
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(made.id) == SandboxState::stopped; }));
}

TEST_CASE("sessions with a running command") {
  struct Row {
    const char* sessions;
    bool running;
  } rows[] = {{R"([{"sessionId": "a", "commands": [{"id": "1", "exitCode": 0}, {"id": "2"}]}])", true},
              {R"([{"sessionId": "a", "commands": [{"id": "1", "exitCode": null}]}])", true},
              {R"([{"sessionId": "a", "commands": [{"id": "1", "exitCode": 1}]}])", false},
              {R"([{"sessionId": "entrypoint", "commands": [{"id": "1"}]}])", false},
              {R"([{"sessionId": "a", "commands": null}])", false},
              {R"([{"commands": [5, "x", []]}, 7, null])", false},
              {"[]", false},
              {"{}", false},
              {"\"x\"", false}};
  for (const Row& row : rows) {
    CAPTURE(row.sessions);
    CHECK(has_running_command(boost::json::parse(row.sessions)) == row.running);
  }
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

TEST_CASE("a parent whose time is over is looked at from time to time while it has forks, and goes after them") {
  TestBench bench;
  CreateSandbox create = bench.asked();
  create.stop_minutes = 0;
  create.ttl_minutes = 30;
  const auto parent = bench.run(create_sandbox(bench.control(), create)).value();
  const auto child = bench.run(fork_sandbox(bench.control(), bench.organization, parent.id, "child")).value();
  bench.run(set_interval(bench.control(), bench.organization, child.id, Interval::ttl, 0)).value();
  bench.clock.advance_minutes(30);
  auto* live = bench.control().live.find(parent.id);
  bench.life->reaper.look();
  REQUIRE(live->acting);
  REQUIRE(bench.until([&] { return !live->acting; }));
  bench.life->reaper.look();
  CHECK_FALSE(live->acting);
  CHECK(bench.state(parent.id) == SandboxState::started);
  bench.run(delete_sandbox(bench.control(), bench.organization, child.id)).value();
  bench.clock.wall += 10'000, bench.clock.steady_ms += 10'000;
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(parent.id) == SandboxState::destroyed; }));
}

TEST_CASE("a time to live that is set later counts from then") {
  TestBench bench;
  CreateSandbox create = bench.asked();
  create.stop_minutes = 0;
  const auto made = bench.run(create_sandbox(bench.control(), create)).value();
  bench.clock.advance_minutes(120);
  bench.clock.wall += 1'500, bench.clock.steady_ms += 1'500;
  const auto set = bench.run(set_interval(bench.control(), bench.organization, made.id, Interval::ttl, 60)).value();
  CHECK(set.auto_destroy_at == bench.clock.wall + 60 * 60'000);
  bench.life->reaper.look();
  CHECK(bench.state(made.id) == SandboxState::started);
  bench.clock.advance_minutes(59);
  bench.life->reaper.look();
  CHECK(bench.state(made.id) == SandboxState::started);
  bench.clock.advance_minutes(1);
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(made.id) == SandboxState::destroyed; }));
}

TEST_CASE("a fork lives as long as its parent was given, from its own beginning") {
  TestBench bench;
  CreateSandbox create = bench.asked();
  create.stop_minutes = 0;
  const auto parent = bench.run(create_sandbox(bench.control(), create)).value();
  bench.clock.advance_minutes(120);
  bench.run(set_interval(bench.control(), bench.organization, parent.id, Interval::ttl, 60)).value();
  const auto child = bench.run(fork_sandbox(bench.control(), bench.organization, parent.id, "child")).value();
  CHECK(child.auto_destroy_at == child.created_at + 60 * 60'000);
  bench.run(set_interval(bench.control(), bench.organization, parent.id, Interval::ttl, 0)).value();
  bench.clock.advance_minutes(60);
  bench.life->reaper.look();
  CHECK(bench.until([&] { return bench.state(child.id) == SandboxState::destroyed; }));
  CHECK(bench.state(parent.id) == SandboxState::started);
}

TEST_CASE("a wall clock that is a day wrong stops, archives and deletes nothing, whatever the interval") {
  for (const std::int64_t jump : {24LL * 60 * 60'000, -24LL * 60 * 60'000}) {
    TestBench bench;
    CreateSandbox create = bench.asked();
    create.stop_minutes = 15;
    create.ttl_minutes = 30;
    const auto started = bench.run(create_sandbox(bench.control(), create)).value();
    create = bench.asked();
    create.pause_minutes = 15;
    const auto idle = bench.run(create_sandbox(bench.control(), create)).value();
    create = bench.asked();
    create.archive_minutes = 30;
    create.destroy_minutes = 60;
    const auto stopped = bench.run(create_sandbox(bench.control(), create)).value();
    bench.run(stop_sandbox(bench.control(), bench.organization, stopped.id, false)).value();
    bench.clock.wall += jump;
    for (int life = 0; life < 2; ++life) {
      REQUIRE(bench.until([&] { return bench.life->reconciler.in_step(); }));
      bench.life->reaper.look();
      bench.run(bench.control().store.sandboxes.find(started.id)).value();
      CHECK_FALSE(bench.control().live.find(started.id)->acting);
      CHECK_FALSE(bench.control().live.find(idle.id)->acting);
      CHECK_FALSE(bench.control().live.find(stopped.id)->acting);
      CHECK(bench.state(started.id) == SandboxState::started);
      CHECK(bench.state(idle.id) == SandboxState::started);
      CHECK(bench.state(stopped.id) == SandboxState::stopped);
      bench.restart();
    }
  }
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

asio::awaitable<bool> purge(TestBench::Life& life) {
  co_await life.reaper.purge();
  co_return true;
}

TEST_CASE("a wall clock that is a day ahead for a while costs nobody a token") {
  TestBench bench;
  Authenticator authenticator(bench.control());
  AccessControl access(bench.control(), authenticator);
  const auto made = bench.create();
  const auto token = bench.run(access.make_ssh_token(made.id, 60)).value();
  bench.clock.wall += 24 * 60 * model::kMinuteMs;
  CHECK_FALSE(bench.run(access.use_ssh_token(token.text)));
  CHECK(bench.run(purge(*bench.life)));
  bench.clock.wall -= 24 * 60 * model::kMinuteMs;
  CHECK(bench.run(access.use_ssh_token(token.text)));
}

TEST_CASE("ending a sandbox's SSH tokens looks at no preview link of it") {
  TestBench bench;
  auto database = db::Connection::open(bench.directory.path + "/test.db", db::Connection::Mode::read);
  REQUIRE(database);
  auto plan = database->query("EXPLAIN QUERY PLAN DELETE FROM access_tokens WHERE kind=? AND sandbox_id=?", "ssh", "x");
  REQUIRE(plan);
  REQUIRE(plan->step().value());
  CHECK(plan->text(3).find("(sandbox_id=? AND kind=?)") != std::string::npos);
}

TEST_CASE("all that has expired goes with one purge") {
  TestBench bench;
  const auto made = bench.create();
  auto& tokens = bench.control().store.access_tokens;
  std::vector<std::string> hashes;
  int unwritten = 0;
  for (int i = 0; i < 1'200; ++i) {
    hashes.push_back(sha256_hex(std::to_string(i)));
    const model::AccessToken token{"", model::AccessToken::Kind::preview, hashes.back(), made.id, 3000, 0, 1};
    ++unwritten;
    asio::co_spawn(bench.io, tokens.insert(token, 10'000), [&](std::exception_ptr, Result<void>) { --unwritten; });
  }
  REQUIRE(bench.until([&] { return unwritten == 0; }));
  const auto held = [&](const std::string& hash) {
    return bench.run(tokens.find(model::AccessToken::Kind::preview, hash)).value().has_value();
  };
  REQUIRE(std::ranges::all_of(hashes, held));
  bench.run(purge(*bench.life));
  CHECK(std::ranges::none_of(hashes, held));
}

}  // namespace
}  // namespace sebring::control
