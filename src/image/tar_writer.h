#pragma once
// Writes pax tars: a plain ustar header wherever it can say everything, an extended one before it where not. The same
// entries give the same bytes.
#include <string_view>

#include "base/result.h"
#include "image/byte_source.h"
#include "image/tar_format.h"

namespace sebring::image {

class TarWriter {
 public:
  explicit TarWriter(ByteSink& sink) : sink_(sink) {}

  // For files exactly the stored bytes must follow through write_data(): `size`, or the sum of the extents when sparse.
  Result<void> begin(const TarEntry& entry);
  Result<void> write_data(std::string_view bytes);
  Result<void> finish();

  std::uint64_t entries() const { return entries_; }

 private:
  Result<void> pad();

  ByteSink& sink_;
  std::uint64_t data_left_ = 0;
  std::uint64_t padding_ = 0;
  std::uint64_t entries_ = 0;
};

}  // namespace sebring::image
