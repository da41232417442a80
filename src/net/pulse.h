#pragma once
// Tells whoever watches this process that its event loop still turns: a byte a second into a pipe. A process that
// hangs, or was stopped by a signal, falls silent.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/unique_fd.h"

namespace sebring::net {

inline constexpr std::chrono::seconds kPulseEvery{1};

class Pulse {
 public:
  // `pipe`: non-blocking; invalid: nobody watches. Beats once at once. Outlived by the executor's context.
  Pulse(boost::asio::any_io_executor executor, UniqueFd pipe);

 private:
  void beat();
  boost::asio::steady_timer timer_;
  UniqueFd pipe_;
};

}  // namespace sebring::net
