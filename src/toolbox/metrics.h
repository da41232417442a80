#pragma once
// What the sandbox uses now.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "toolbox/context.h"
#include "toolbox/memory_watch.h"

namespace sebring::toolbox {

// Seconds of processor time of this and all processes visible, those that ended and were waited for included.
double processor_seconds();

// What the sandbox may take, as the platform says with the request (header X-Sebring-Resources); 0: not said.
struct GivenResources {
  double cpus = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t disk_used_bytes = 0;
};
inline constexpr std::string_view kResourcesHeader = "X-Sebring-Resources";
// "cpus=1.5;disk=3221225472;disk-used=4096" in any order; what is no number, or unknown, counts as not said.
GivenResources parse_resources(std::string_view text);

class Metrics : public std::enable_shared_from_this<Metrics> {
 public:
  explicit Metrics(Context& context);
  // The answer of GET /system/metrics. The processor's share is that of the last window; windows are measured while
  // somebody asks.
  std::string to_json(const GivenResources& given);

 private:
  asio::awaitable<void> sample();
  Context& context_;
  MemoryWatch memory_;
  asio::steady_timer timer_;
  bool sampling_ = false;
  Steady::time_point last_asked_;
  double cpus_ = 0;  // as said last
  double used_percent_ = 0;
};

}  // namespace sebring::toolbox
