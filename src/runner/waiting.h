#pragma once
// Waiting on the event loop's thread: a lock for coroutines and a condition.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

namespace sebring::runner {

namespace asio = boost::asio;

// Whoever waits is woken by notify_all() or after the time. Check again what was waited for.
class Signal {
 public:
  explicit Signal(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  asio::awaitable<void> wait(std::chrono::milliseconds at_most);
  void notify_all();

 private:
  asio::any_io_executor executor_;
  std::vector<std::shared_ptr<asio::steady_timer>> waiters_;
};

// One holder at a time, in the order of asking; or several who say so.
class Gate {
 public:
  explicit Gate(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  enum class Kind { alone, together };

  class Pass {
   public:
    explicit Pass(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
    Pass(Pass&&) noexcept = default;
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_) gate_->leave();
    }

   private:
    std::shared_ptr<Gate> gate_;
  };
  static asio::awaitable<Pass> enter(std::shared_ptr<Gate> gate, Kind kind = Kind::alone);

 private:
  void leave();
  asio::any_io_executor executor_;
  std::size_t inside_ = 0;
  Kind kind_ = Kind::alone;  // of those inside
  struct Waiter {
    std::shared_ptr<asio::steady_timer> timer;
    Kind kind = Kind::alone;
  };
  std::deque<Waiter> waiters_;
};

}  // namespace sebring::runner
