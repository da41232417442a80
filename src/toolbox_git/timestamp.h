#pragma once
#include <cstdint>
#include <string>

namespace sebring::toolbox_git {

// RFC 3339 with the author's own offset: "2024-05-01T12:00:00+02:00", "Z" for none. Seconds since 1970 and minutes;
// what lies outside the years 1 to 9999 becomes the nearest of them.
std::string timestamp(std::int64_t seconds, int offset_minutes);

}  // namespace sebring::toolbox_git
