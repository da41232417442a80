#pragma once
// Whether this machine is short of memory: how much time its tasks lose waiting for some (the kernel's pressure stall
// information), and how little is left, which is all there is to see where the kernel does not say the former.
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace sebring::control {

// "some avg10=1.23 ..." -> 1.23 percent.
std::optional<double> parse_pressure(std::string_view text);

// Of the text of /proc/meminfo: the share of memory that can be had, 0 to 1.
std::optional<double> parse_available(std::string_view text);

class MemoryPressure {
 public:
  explicit MemoryPressure(std::string pressure = "/proc/pressure/memory", std::string meminfo = "/proc/meminfo")
      : pressure_(std::move(pressure)), meminfo_(std::move(meminfo)) {}
  // Some task waited for a fifth of the last ten seconds, or less than a twentieth of the memory is left: each further
  // sandbox would make all of them slower. Looked at most twice a second.
  bool is_short();

 private:
  std::string pressure_;
  std::string meminfo_;
  Steady::time_point read_at_{};
  bool short_ = false;
};

}  // namespace sebring::control
