#pragma once
// The Range header (RFC 9110, section 14), for one range of bytes.
#include <cstdint>
#include <optional>
#include <string_view>

namespace sebring::toolbox::files {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};

struct RangeAnswer {
  bool unsatisfiable = false;      // 416
  std::optional<ByteRange> range;  // 206; without one: the whole file
};

// What is no byte range, malformed, or asks for several ranges is answered with the whole file, as the standard
// permits.
RangeAnswer parse_range(std::string_view header, std::uint64_t size);

}  // namespace sebring::toolbox::files
