#include "control/service_clock.h"

#include <algorithm>
#include <fstream>

#include "base/text.h"

namespace sebring::control {
namespace {

std::int64_t steady_ms(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady().time_since_epoch()).count();
}

}  // namespace

ServiceClock::ServiceClock(const Clock& clock, std::string boot_id, const std::optional<std::string>& saved)
    : clock_(clock), boot_id_(std::move(boot_id)), base_(clock.wall_ms()), steady_base_(steady_ms(clock)) {
  if (!saved) return;
  const auto parts = split(*saved, ' ');
  if (parts.size() != 4) return;
  const auto service = parse_integer(parts[0]);
  const auto steady = parse_integer(parts[1]);
  const auto wall = parse_integer(parts[2]);
  if (!service || !steady || !wall) return;
  const bool same_boot = !boot_id_.empty() && parts[3] == boot_id_ && *steady <= steady_base_;
  const std::int64_t gap =
      same_boot ? steady_base_ - *steady : std::clamp<std::int64_t>(clock.wall_ms() - *wall, 0, kGapMax);
  base_ = *service + gap;
}

model::ServiceMs ServiceClock::now() const { return base_ + steady_ms(clock_) - steady_base_; }

std::string ServiceClock::save() const {
  return std::to_string(now()) + " " + std::to_string(steady_ms(clock_)) + " " + std::to_string(clock_.wall_ms()) +
         " " + boot_id_;
}

std::string read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace sebring::control
