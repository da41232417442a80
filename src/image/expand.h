#pragma once
// Decompression of layers, and its reverse for archives.
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "image/byte_source.h"

namespace sebring::image {

enum class Compression { none, gzip, zstd };

struct ExpandLimits {
  std::uint64_t input_bytes_max;
  std::uint64_t output_bytes_max;
  std::uint64_t ratio_max;
};
// Below this the ratio does not matter.
inline constexpr std::uint64_t kRatioFrom = std::uint64_t{256} << 20;

// Expands all of `source` into `sink`, several gzip members or zstd frames too; what it is follows from its first
// bytes.
class Expander {
 public:
  explicit Expander(const ExpandLimits& limits);
  ~Expander();
  Result<void> run(ByteSource& source, ByteSink& sink);

 private:
  Result<std::size_t> fill(ByteSource& source);
  Result<void> put(ByteSink& sink, std::size_t bytes);
  Result<void> run_plain(ByteSource& source, ByteSink& sink);
  Result<void> run_gzip(ByteSource& source, ByteSink& sink);
  Result<void> run_zstd(ByteSource& source, ByteSink& sink);

  static constexpr std::size_t kBytes = 1 << 20;
  ExpandLimits limits_;
  std::unique_ptr<char[]> in_;
  std::unique_ptr<char[]> out_;
  std::size_t in_size_ = 0;
  std::uint64_t in_total_ = 0;
  std::uint64_t out_total_ = 0;
};

Result<Compression> compression_of(const char* first, std::size_t bytes);

// zstd with a checksum.
Result<void> compress_zstd(ByteSource& source, ByteSink& sink, int level);

}  // namespace sebring::image
