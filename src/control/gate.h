#pragma once
// Lets a number of things happen at once; the others wait in order, and who finds the line full is told so. While the
// machine is short of memory fewer are let in, so that a burst becomes slower, not a collapse.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <memory>
#include <string>

#include "base/result.h"
#include "control/memory_pressure.h"

namespace sebring::control {

namespace asio = boost::asio;

class Gate {
 public:
  Gate(asio::any_io_executor executor, std::size_t at_once, std::size_t waiting_max)
      : executor_(std::move(executor)), at_once_(at_once), waiting_max_(waiting_max) {}

  // Being inside. Outlived by the gate.
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->leave();
    }

   private:
    friend class Gate;
    explicit Pass(Gate* gate) : gate_(gate) {}
    Gate* gate_ = nullptr;
  };

  // Errc::unavailable with tag "retry_after" when the line is full or the wait takes longer than a client waits.
  asio::awaitable<Result<Pass>> enter();
  std::size_t waiting() const { return waiting_.size(); }
  // For tests: another source of pressure.
  void watch(MemoryPressure pressure) { pressure_ = std::move(pressure); }

 private:
  struct Waiter;
  void leave();
  bool has_room();
  asio::any_io_executor executor_;
  MemoryPressure pressure_;
  std::size_t at_once_;
  std::size_t inside_ = 0;
  std::size_t waiting_max_;
  std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace sebring::control
