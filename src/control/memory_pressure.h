#pragma once
// How much time tasks of this machine lose waiting for memory (the kernel's pressure stall information).
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace sebring::control {

// "some avg10=1.23 ..." -> 1.23 percent.
std::optional<double> parse_pressure(std::string_view text);

class MemoryPressure {
 public:
  explicit MemoryPressure(std::string path = "/proc/pressure/memory") : path_(std::move(path)) {}
  // Percent of the last ten seconds in which some task waited; 0 where the kernel does not say. Read at most twice a
  // second.
  double percent();

 private:
  std::string path_;
  Steady::time_point read_at_{};
  double percent_ = 0;
};

}  // namespace sebring::control
