#pragma once
// Two clocks: steady for deadlines and durations, wall for what people read. Durations and deadlines never use wall time.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sebring {

using Steady = std::chrono::steady_clock;
// Milliseconds since 1970-01-01 UTC; what is stored and sent.
using WallMs = std::int64_t;

// Interface so that tests can move time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallMs wall_ms() const = 0;
  virtual Steady::time_point steady() const = 0;
};
const Clock& system_clock();

// "2026-01-31T12:00:00.000Z", the form of every date on the control plane's wire.
std::string iso8601(WallMs time);
// Same with nanoseconds dropped to what time_t has: "2026-01-31T12:00:00Z".
// Accepts RFC 3339 with or without fraction, with Z or an offset, and a bare date (midnight UTC).
std::optional<WallMs> parse_iso8601(std::string_view text);

}  // namespace sebring
