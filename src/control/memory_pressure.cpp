#include "control/memory_pressure.h"

#include <charconv>
#include <fstream>
#include <iterator>

namespace sebring::control {
namespace {

constexpr double kWaitingPercent = 20;
constexpr double kLeft = 0.05;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::optional<double> parse_pressure(std::string_view text) {
  constexpr std::string_view kStart = "some avg10=";
  if (!text.starts_with(kStart)) return std::nullopt;
  text.remove_prefix(kStart.size());
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || value > 100) return std::nullopt;
  return value;
}

std::optional<double> parse_available(std::string_view text) {
  const auto field = [text](std::string_view name) -> std::optional<double> {
    auto at = text.find(name);
    if (at == std::string_view::npos || (at != 0 && text[at - 1] != '\n')) return std::nullopt;
    at = text.find_first_not_of(' ', at + name.size());
    double kilobytes = 0;
    if (at == std::string_view::npos) return std::nullopt;
    auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), kilobytes);
    return error == std::errc() && kilobytes >= 0 ? std::optional(kilobytes) : std::nullopt;
  };
  const auto total = field("MemTotal:"), available = field("MemAvailable:");
  if (!total || !available || *total <= 0 || *available > *total) return std::nullopt;
  return *available / *total;
}

bool MemoryPressure::is_short() {
  const auto now = Steady::now();
  if (read_at_ != Steady::time_point{} && now - read_at_ < std::chrono::milliseconds(500)) return short_;
  read_at_ = now;
  short_ = parse_pressure(text_of(pressure_)).value_or(0) > kWaitingPercent ||
           parse_available(text_of(meminfo_)).value_or(1) < kLeft;
  return short_;
}

}  // namespace sebring::control
