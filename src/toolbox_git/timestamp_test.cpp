#include "toolbox_git/timestamp.h"

#include <doctest/doctest.h>

#include <limits>

namespace sebring::toolbox_git {

TEST_CASE("timestamps carry the author's offset") {
  CHECK(timestamp(0, 0) == "1970-01-01T00:00:00Z");
  CHECK(timestamp(1'714'557'600, 120) == "2024-05-01T12:00:00+02:00");
  CHECK(timestamp(1'714'557'600, -210) == "2024-05-01T06:30:00-03:30");
  CHECK(timestamp(-1, 0) == "1969-12-31T23:59:59Z");
  CHECK(timestamp(0, 100'000) == "1970-01-01T00:00:00Z");
  CHECK(timestamp(std::numeric_limits<std::int64_t>::max(), 60) == "9999-12-31T23:59:59+01:00");
  CHECK(timestamp(std::numeric_limits<std::int64_t>::min(), -60) == "0001-01-01T00:00:00-01:00");
}

}  // namespace sebring::toolbox_git
