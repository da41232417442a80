#pragma once
// Wakes coroutines that wait for something to change; one event-loop thread.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace sebring::toolbox {

namespace asio = boost::asio;

// Usage: read version(), look at the state, and when it is not what one waits for: co_await changed(version).
// Nothing is lost in between, whatever ran meanwhile. The owner must outlive every wait.
class Notifier {
 public:
  explicit Notifier(asio::io_context& io) : io_(io) {}
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void notify();
  std::uint64_t version() const { return version_; }
  // False when `deadline` passed first, or the wait was cancelled.
  asio::awaitable<bool> changed(std::uint64_t seen, Steady::time_point deadline = Steady::time_point::max());

 private:
  asio::io_context& io_;
  std::uint64_t version_ = 0;
  std::vector<asio::steady_timer*> waiting_;
};

// Runs `task` beside everything else. What it throws is a broken assumption: it is reported on the daemon's stderr, and
// the daemon goes on.
void in_background(asio::io_context& io, asio::awaitable<void> task, const char* what);

}  // namespace sebring::toolbox
