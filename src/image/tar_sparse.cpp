// The ways in which tars tell where a sparse file's bytes lie: GNU's old header, and three versions in extended
// headers.
#include <algorithm>

#include "base/text.h"
#include "image/tar_overrides.h"

namespace sebring::image {

// Four runs in the header itself, then blocks of 21 while a flag says so.
Result<void> TarReader::read_gnu_sparse_map(const TarBlock& block, TarEntry& entry) {
  auto size = parse_tar_number(block.field(483, 12), false);
  if (!size) return broken_tar("a sparse file's size is not a number");
  entry.size = static_cast<std::uint64_t>(*size);
  entry.sparse = true;
  TarBlock current = block;
  std::size_t at = 386, count = 4, flag = 482;
  for (;;) {
    for (std::size_t i = 0; i < count; ++i) {
      if (current.bytes[at + 24 * i] == 0) break;  // unused
      auto offset = parse_tar_number(current.field(at + 24 * i, 12), false);
      auto bytes = parse_tar_number(current.field(at + 24 * i + 12, 12), false);
      if (!offset || !bytes) return broken_tar("a sparse map is broken");
      if (entry.extents.size() >= limits_.extents_max) return fail(Errc::too_large, "tar: a sparse map is too long");
      entry.extents.push_back({static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*bytes)});
    }
    if (current.bytes[flag] == 0) return {};
    SB_TRY(bool there, read_block(current));
    if (!there) return broken_tar("ends in the middle");
    at = 0, count = 21, flag = 504;
  }
}

Result<void> TarReader::read_pax_sparse_map(const Overrides& overrides, TarEntry& entry) {
  const auto* major = overrides.find("GNU.sparse.major");
  const auto* minor = overrides.find("GNU.sparse.minor");
  if (major || minor) {
    if (!major || !minor || *major != "1" || *minor != "0") return broken_tar("a sparse file of an unknown version");
    SB_TRY(auto size, overrides.number("GNU.sparse.realsize"));
    if (!size) return broken_tar("a sparse file without its size");
    entry.size = *size;
    entry.sparse = true;
    return read_stored_sparse_map(entry);
  }
  SB_TRY(auto size, overrides.number("GNU.sparse.size"));
  if (!size) return {};
  entry.size = *size;
  entry.sparse = true;
  if (overrides.half_pair) return broken_tar("a sparse map is broken");
  const auto* map = overrides.find("GNU.sparse.map");
  if (!map) {
    entry.extents = overrides.sparse_pairs;
    return {};
  }
  auto numbers = split(*map, ',');
  if (numbers.size() % 2 || numbers.size() / 2 > limits_.extents_max) return broken_tar("a sparse map is broken");
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    auto offset = parse_integer(numbers[i]), bytes = parse_integer(numbers[i + 1]);
    if (!offset || !bytes || *offset < 0 || *bytes < 0) return broken_tar("a sparse map is broken");
    entry.extents.push_back({static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*bytes)});
  }
  return {};
}

// Version 1.0: decimal lines in front of the data, filled up to a block: how many runs, then offset and length of each.
Result<void> TarReader::read_stored_sparse_map(TarEntry& entry) {
  TarBlock block;
  std::size_t at = kTarBlock;
  auto number = [&]() -> Result<std::uint64_t> {
    std::string digits;
    for (;;) {
      if (at == kTarBlock) {
        if (data_left_ < kTarBlock) return broken_tar("a sparse map is longer than what is stored");
        SB_TRY(bool there, read_block(block));
        if (!there) return broken_tar("ends in the middle");
        data_left_ -= kTarBlock;
        at = 0;
      }
      char c = block.bytes[at++];
      if (c == '\n') break;
      if (c < '0' || c > '9' || digits.size() == 18) return broken_tar("a sparse map is broken");
      digits += c;
    }
    auto value = parse_integer(digits);
    if (!value) return broken_tar("a sparse map is broken");
    return static_cast<std::uint64_t>(*value);
  };
  SB_TRY(std::uint64_t count, number());
  if (count > limits_.extents_max) return fail(Errc::too_large, "tar: a sparse map is too long");
  for (std::uint64_t i = 0; i < count; ++i) {
    SB_TRY(std::uint64_t offset, number());
    SB_TRY(std::uint64_t bytes, number());
    entry.extents.push_back({offset, bytes});
  }
  return {};
}

Result<void> TarReader::check_extents(TarEntry& entry) {
  if (entry.size > limits_.file_bytes_max)
    return fail(Errc::too_large, "tar: a file is larger than " + std::to_string(limits_.file_bytes_max) + " bytes");
  std::uint64_t end = 0, stored = 0;
  for (const auto& extent : entry.extents) {
    if (extent.offset < end || extent.offset > entry.size || extent.bytes > entry.size - extent.offset)
      return broken_tar("a sparse map is out of order or reaches beyond its file");
    end = extent.offset + extent.bytes;
    stored += extent.bytes;
  }
  if (stored != data_left_) return broken_tar("a sparse map does not agree with what is stored");
  std::erase_if(entry.extents, [](const Extent& extent) { return extent.bytes == 0; });
  return {};
}

}  // namespace sebring::image
