#include "toolbox_git/timestamp.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace sebring::toolbox_git {
namespace {

constexpr std::int64_t kFirst = -62'135'596'800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t kLast = 253'402'300'799;   // 9999-12-31T23:59:59Z

}  // namespace

std::string timestamp(std::int64_t seconds, int offset_minutes) {
  const int offset = std::abs(offset_minutes) < 24 * 60 ? offset_minutes : 0;
  const std::int64_t clamped = std::clamp(seconds, kFirst, kLast);
  const std::time_t local = static_cast<std::time_t>(std::clamp(clamped + offset * 60, kFirst, kLast));
  std::tm parts{};
  ::gmtime_r(&local, &parts);
  char text[64];
  int length = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1,
                             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  std::string out(text, static_cast<std::size_t>(length));
  if (offset == 0) return out + "Z";
  length = std::snprintf(text, sizeof text, "%c%02d:%02d", offset < 0 ? '-' : '+', std::abs(offset) / 60,
                         std::abs(offset) % 60);
  return out.append(text, static_cast<std::size_t>(length));
}

}  // namespace sebring::toolbox_git
