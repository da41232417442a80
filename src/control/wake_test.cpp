#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "control/access.h"
#include "control/authenticate.h"
#include "control/live_index.h"
#include "control/test_bench.h"

using namespace sebring;
using namespace sebring::control;
using model::SandboxState;

TEST_CASE("who is woken by use, and who is not") {
  struct Row {
    const char* what;
    bool server;
    const char* label;  // nullptr: none
    std::int64_t pause_minutes;
    bool paused;  // else stopped
    bool wakes;
  } rows[] = {
      {"stopped, nothing said", false, nullptr, 0, false, false},
      {"stopped, the server says so", true, nullptr, 0, false, true},
      {"stopped, its label says so", false, "true", 0, false, true},
      {"stopped, its label goes before the server", true, "false", 0, false, false},
      {"stopped, a label that says nothing", false, "yes", 0, false, false},
      {"paused by hand", true, nullptr, 0, true, false},
      {"paused for idleness", false, nullptr, 30, true, true},
      {"paused by hand with the label", false, "true", 0, true, true},
      {"paused for idleness, its label says no", false, "false", 30, true, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    TestBench bench;
    bench.config.wake_stopped = row.server;
    Authenticator authenticator(bench.control());
    AccessControl access(bench.control(), authenticator);
    CreateSandbox create = bench.asked();
    if (row.label != nullptr) create.labels = {{kWakeLabel, row.label}};
    if (row.pause_minutes > 0) create.pause_minutes = row.pause_minutes;
    const auto made = bench.run(create_sandbox(bench.control(), create)).value();
    if (row.paused) {
      bench.run(pause_sandbox(bench.control(), bench.organization, made.id)).value();
    } else {
      bench.run(stop_sandbox(bench.control(), bench.organization, made.id, false)).value();
    }
    const auto woken = bench.run(access.wake(made.id));
    CHECK(woken.has_value() == row.wakes);
    CHECK((bench.state(made.id) == SandboxState::started) == row.wakes);
    if (!woken) CHECK(woken.error().code() == Errc::conflict);
    if (woken) CHECK_FALSE(woken->socket.empty());
  }
}

TEST_CASE("a hundred who come at once make one start, and the first may go away") {
  TestBench bench;
  bench.config.wake_stopped = true;
  Authenticator authenticator(bench.control());
  AccessControl access(bench.control(), authenticator);
  const auto made = bench.create();
  const auto link = bench.run(access.authorize_run_token(made.id, made.auth_token)).value();
  bench.run(stop_sandbox(bench.control(), bench.organization, made.id, false)).value();
  bench.runner.delay = std::chrono::milliseconds(5);
  const int calls = bench.runner.calls;
  std::size_t served = 0, failed = 0;
  asio::cancellation_signal first;
  const auto count = [&](std::exception_ptr thrown, Result<Reach> reach) {
    thrown == nullptr&& reach && !reach->socket.empty() ? ++served : ++failed;
  };
  asio::co_spawn(bench.io, access.wake(made.id), asio::bind_cancellation_slot(first.slot(), count));
  for (int i = 0; i < 99; ++i) asio::co_spawn(bench.io, access.wake(made.id), count);
  bench.until([&] { return bench.runner.calls > calls; });
  first.emit(asio::cancellation_type::terminal);
  REQUIRE(bench.until([&] { return served + failed == 100; }));
  CHECK(served >= 99);
  CHECK(bench.runner.calls == calls + 1);
  // The token of before goes on to hold: who woke it came with it.
  CHECK(bench.run(access.recheck_run_token(made.id, link)).has_value());
  // One that was asked for by name begins a new run.
  bench.run(stop_sandbox(bench.control(), bench.organization, made.id, false)).value();
  bench.run(start_sandbox(bench.control(), bench.organization, made.id)).value();
  CHECK_FALSE(bench.run(access.recheck_run_token(made.id, link)).has_value());
}

TEST_CASE("a start that fails is told to all who wait, and tried anew by the next") {
  TestBench bench;
  bench.config.wake_stopped = true;
  Authenticator authenticator(bench.control());
  AccessControl access(bench.control(), authenticator);
  const auto made = bench.create();
  bench.run(stop_sandbox(bench.control(), bench.organization, made.id, false)).value();
  bench.runner.next_error = Error(Errc::unavailable, "not now");
  CHECK(bench.run(access.wake(made.id)).error().code() == Errc::unavailable);
  CHECK(bench.until([&] { return bench.run(access.wake(made.id)).has_value(); }));
  CHECK_FALSE(bench.run(access.wake("nobody")).has_value());
}
