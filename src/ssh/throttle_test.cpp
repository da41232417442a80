#include "ssh/throttle.h"

#include <doctest/doctest.h>

namespace {
using namespace sebring;
using namespace sebring::ssh;
using namespace std::chrono_literals;

TEST_CASE("who guesses waits longer and longer") {
  Throttle throttle({.free_failures = 3, .forget = 600s, .pause_max = 60s});
  auto now = Steady::time_point(1000s);
  for (int i = 0; i < 3; ++i) {
    CHECK(throttle.admit("a", now));
    throttle.failed("a", now);
    throttle.gave_up("a");
  }
  CHECK(throttle.admit("a", now));
  throttle.failed("a", now);  // the fourth
  throttle.gave_up("a");
  CHECK_FALSE(throttle.admit("a", now));
  CHECK(throttle.admit("b", now));  // others are not touched
  throttle.gave_up("b");
  CHECK_FALSE(throttle.admit("a", now + 1s));
  CHECK(throttle.admit("a", now + 3s));
  now += 3s;
  throttle.failed("a", now);
  throttle.gave_up("a");
  CHECK_FALSE(throttle.admit("a", now + 3s));
  CHECK(throttle.admit("a", now + 5s));
  throttle.gave_up("a");
  for (int i = 0; i < 100; ++i) throttle.failed("a", now);
  CHECK_FALSE(throttle.admit("a", now + 59s));
  CHECK(throttle.admit("a", now + 61s));
  throttle.gave_up("a");
  // Forgotten after ten quiet minutes.
  for (int i = 0; i < 3; ++i) throttle.failed("a", now);
  now += 601s;
  CHECK(throttle.admit("a", now));
  throttle.failed("a", now);
  throttle.gave_up("a");
  CHECK(throttle.admit("a", now));
  throttle.gave_up("a");
  CHECK(throttle.waiting() == 0);
}

TEST_CASE("connections that have not logged in are bounded") {
  Throttle throttle({.waiting_max = 5, .waiting_each_max = 3});
  const auto now = Steady::time_point(1000s);
  for (int i = 0; i < 3; ++i) CHECK(throttle.admit("a", now));
  CHECK_FALSE(throttle.admit("a", now));
  CHECK(throttle.admit("b", now));
  CHECK(throttle.admit("c", now));
  CHECK_FALSE(throttle.admit("d", now));
  throttle.logged_in("a");
  CHECK(throttle.admit("d", now));
  CHECK(throttle.waiting() == 5);
}

TEST_CASE("what is remembered is bounded") {
  Throttle throttle({.waiting_max = 100'000, .addresses_max = 50});
  auto now = Steady::time_point(1000s);
  for (int i = 0; i < 500; ++i) {
    const std::string address = std::to_string(i);
    CHECK(throttle.admit(address, now));
    throttle.failed(address, now);
    throttle.gave_up(address);
    now += 1s;
  }
  CHECK(throttle.waiting() == 0);
}

}  // namespace
