#include "base/time.h"

#include <cstdio>
#include <ctime>

namespace sebring {
namespace {

class SystemClock final : public Clock {
 public:
  WallMs wall_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  Steady::time_point steady() const override { return Steady::now(); }
};

// Reads exactly `digits` decimal digits at the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

// Milliseconds of ".123456"; nothing there is 0.
std::optional<int> take_fraction(std::string_view& text) {
  if (!take_char(text, '.')) return 0;
  int milliseconds = 0;
  int scale = 100;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    milliseconds += (text[digits] - '0') * scale;
    scale /= 10;
    ++digits;
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  text.remove_prefix(digits);
  return milliseconds;
}

std::optional<std::int64_t> take_offset_minutes(std::string_view& text) {
  if (take_char(text, 'Z') || take_char(text, 'z')) return 0;
  int sign = 0;
  if (take_char(text, '+')) sign = 1;
  if (sign == 0 && take_char(text, '-')) sign = -1;
  if (sign == 0) return std::nullopt;
  auto hours = take_number(text, 2);
  take_char(text, ':');
  auto minutes = take_number(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string iso8601(WallMs time) {
  std::int64_t seconds = time / 1000;
  std::int64_t milliseconds = time % 1000;
  if (milliseconds < 0) {
    milliseconds += 1000;
    --seconds;
  }
  std::time_t whole = seconds;
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char text[64];
  int length = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                             static_cast<int>(milliseconds));
  return std::string(text, static_cast<std::size_t>(length));
}

std::optional<WallMs> parse_iso8601(std::string_view text) {
  auto year = take_number(text, 4);
  if (!year || !take_char(text, '-')) return std::nullopt;
  auto month = take_number(text, 2);
  if (!month || !take_char(text, '-')) return std::nullopt;
  auto day = take_number(text, 2);
  if (!day || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
  std::tm parts{};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  if (text.empty()) return static_cast<WallMs>(timegm(&parts)) * 1000;
  if (!take_char(text, 'T') && !take_char(text, 't') && !take_char(text, ' ')) return std::nullopt;
  auto hour = take_number(text, 2);
  if (!hour || !take_char(text, ':')) return std::nullopt;
  auto minute = take_number(text, 2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  int second = 0;
  if (take_char(text, ':')) {
    auto value = take_number(text, 2);
    if (!value || *value > 60) return std::nullopt;
    second = *value;
  }
  auto milliseconds = take_fraction(text);
  if (!milliseconds) return std::nullopt;
  std::int64_t offset = 0;
  if (!text.empty()) {
    auto value = take_offset_minutes(text);
    if (!value) return std::nullopt;
    offset = *value;
  }
  if (!text.empty()) return std::nullopt;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  parts.tm_sec = second;
  return (static_cast<WallMs>(timegm(&parts)) - offset * 60) * 1000 + *milliseconds;
}

}  // namespace sebring
