#pragma once
#include <algorithm>
#include <string>

#include "image/byte_source.h"

namespace sebring::image::testing {

class MemorySource : public ByteSource {
 public:
  // Hands out at most `step` bytes at once, so that every boundary is met.
  explicit MemorySource(std::string_view bytes, std::size_t step = 1 << 20) : bytes_(bytes), step_(step) {}
  Result<std::size_t> read(char* into, std::size_t bytes_max) override {
    std::size_t n = bytes_.copy(into, std::min(bytes_max, step_));
    bytes_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view bytes_;
  std::size_t step_;
};

class MemorySink : public ByteSink {
 public:
  Result<void> write(const char* data, std::size_t bytes) override {
    text.append(data, bytes);
    return {};
  }
  std::string text;
};

}  // namespace sebring::image::testing
