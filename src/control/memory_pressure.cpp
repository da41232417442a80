#include "control/memory_pressure.h"

#include <charconv>
#include <fstream>
#include <iterator>

namespace sebring::control {

std::optional<double> parse_pressure(std::string_view text) {
  constexpr std::string_view kStart = "some avg10=";
  if (!text.starts_with(kStart)) return std::nullopt;
  text.remove_prefix(kStart.size());
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || value > 100) return std::nullopt;
  return value;
}

double MemoryPressure::percent() {
  const auto now = Steady::now();
  if (read_at_ != Steady::time_point{} && now - read_at_ < std::chrono::milliseconds(500)) return percent_;
  read_at_ = now;
  std::ifstream file(path_);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  percent_ = parse_pressure(text).value_or(0);
  return percent_;
}

}  // namespace sebring::control
