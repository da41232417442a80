#pragma once
// What the sandbox uses now.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/time.h"
#include "toolbox/context.h"
#include "toolbox/memory_watch.h"

namespace sebring::toolbox {

// Seconds of processor time of this and all processes visible, those that ended and were waited for included.
double processor_seconds();

class Metrics : public std::enable_shared_from_this<Metrics> {
 public:
  explicit Metrics(Context& context);
  // The answer of GET /system/metrics. The processor's share is that of the last window; windows are measured while
  // somebody asks.
  std::string to_json();

 private:
  asio::awaitable<void> sample();
  Context& context_;
  MemoryWatch memory_;
  asio::steady_timer timer_;
  bool sampling_ = false;
  Steady::time_point last_asked_;
  double used_percent_ = 0;
};

}  // namespace sebring::toolbox
