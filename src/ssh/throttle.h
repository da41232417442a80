#pragma once
// Slows down who guesses tokens, by address. Tokens are far too long to be guessed; this is about our processor time
// and threads.
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/time.h"

namespace sebring::ssh {

struct ThrottleLimits {
  std::size_t waiting_max = 64;       // connections that have not logged in yet, all together
  std::size_t waiting_each_max = 16;  // and of one address
  std::size_t free_failures = 10;     // before an address has to wait
  std::chrono::seconds forget{600};   // after that long without one, failures are forgotten
  std::chrono::seconds pause_max{60};
  std::size_t addresses_max = 10'000;  // remembered; the oldest go first
};

// Thread-safe.
class Throttle {
 public:
  explicit Throttle(ThrottleLimits limits = {}) : limits_(limits) {}

  // A connection comes in; true: it may try, and ends with logged_in() or gave_up().
  bool admit(const std::string& address, Steady::time_point now);
  void logged_in(const std::string& address);
  void gave_up(const std::string& address);
  // A wrong token.
  void failed(const std::string& address, Steady::time_point now);
  std::size_t waiting() const;

 private:
  struct One {
    std::size_t waiting = 0;
    std::size_t failures = 0;
    Steady::time_point last_failure{};
    Steady::time_point not_before{};
  };
  void leave(const std::string& address);
  void forget_old(Steady::time_point now);

  ThrottleLimits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, One> addresses_;
  std::size_t waiting_ = 0;
};

}  // namespace sebring::ssh
