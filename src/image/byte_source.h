#pragma once
#include <cstddef>

#include "base/result.h"

namespace sebring::image {

// Where a tar comes from; tests and fuzzers pass memory.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // At most `bytes_max` bytes; 0 only at the end.
  virtual Result<std::size_t> read(char* into, std::size_t bytes_max) = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Result<void> write(const char* data, std::size_t bytes) = 0;
};

}  // namespace sebring::image
