#pragma once
// A strict reader of tar streams: ustar, GNU (long names, base-256, sparse) and pax (1.0 sparse files too). It only
// reads; what names may be is layer_name.h's business. What is ambiguous or unknown is refused, not guessed.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "image/byte_source.h"
#include "image/tar_format.h"

namespace sebring::image {

struct TarLimits {
  std::uint64_t entries_max = 2'000'000;
  std::uint64_t extended_bytes_max = std::uint64_t{1} << 20;  // of one extended header or long name
  std::uint64_t file_bytes_max = std::uint64_t{64} << 30;
  std::uint64_t extents_max = 1'000'000;  // of one sparse file
};

// Every error is final.
class TarReader {
 public:
  TarReader(ByteSource& source, const TarLimits& limits);
  ~TarReader();

  // The next entry, skipping what is left of the one before; nullopt at the archive's end, after which all of the
  // source has been read.
  Result<std::optional<TarEntry>> next();

  struct Piece {
    std::uint64_t offset = 0;  // in the file
    std::string_view bytes;    // until the next call; empty: no more
  };
  Result<Piece> piece();

  std::uint64_t entries() const { return entries_; }

 private:
  struct Overrides;
  Result<std::string_view> take(std::size_t bytes_max);
  Result<bool> read_exactly(char* into, std::size_t bytes);
  Result<bool> read_block(TarBlock& block);
  Result<void> skip(std::uint64_t bytes);
  Result<std::string> read_extension(const TarBlock& block);
  Result<void> read_overrides(const TarBlock& block, Overrides& overrides);
  Result<void> read_global(const TarBlock& block);
  Result<TarEntry> read_entry(const TarBlock& block, const Overrides& overrides);
  Result<void> read_names(const TarBlock& block, const Overrides& overrides, TarEntry& entry);
  Result<void> read_owner(const TarBlock& block, const Overrides& overrides, TarEntry& entry);
  Result<void> read_gnu_sparse_map(const TarBlock& block, TarEntry& entry);
  Result<void> read_pax_sparse_map(const Overrides& overrides, TarEntry& entry);
  Result<void> read_stored_sparse_map(TarEntry& entry);
  Result<void> check_extents(TarEntry& entry);
  Result<void> finish_archive();

  ByteSource& source_;
  TarLimits limits_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t data_left_ = 0;  // stored bytes of the current entry that nobody has taken
  std::uint64_t padding_ = 0;    // behind them
  std::vector<Extent> extents_;  // of the current entry
  std::size_t extent_ = 0;
  std::uint64_t extent_done_ = 0;
  std::map<std::string, std::string, std::less<>> global_;
  bool ended_ = false;
};

}  // namespace sebring::image
