#include "image/tar_writer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/text.h"

namespace sebring::image {
namespace {

constexpr std::uint64_t kOctal7Max = 07777777;       // 8-byte fields
constexpr std::uint64_t kOctal11Max = 077777777777;  // 12-byte fields

std::uint64_t padding_of(std::uint64_t bytes) { return (kTarBlock - bytes % kTarBlock) % kTarBlock; }

void put_text(TarBlock& block, std::size_t at, std::size_t size, std::string_view text) {
  std::memcpy(block.bytes.data() + at, text.data(), std::min(size, text.size()));
}

void put_octal(TarBlock& block, std::size_t at, std::size_t size, std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", static_cast<int>(size - 1), static_cast<unsigned long long>(value));
  std::memcpy(block.bytes.data() + at, text, size - 1);
}

char type_of(EntryKind kind) {
  switch (kind) {
    case EntryKind::hard_link:
      return '1';
    case EntryKind::symbolic_link:
      return '2';
    case EntryKind::directory:
      return '5';
    case EntryKind::fifo:
      return '6';
    case EntryKind::file:
    case EntryKind::device:
      break;
  }
  return '0';
}

TarBlock make_block(std::string_view path, std::string_view link, const TarEntry& entry, char type,
                    std::uint64_t size) {
  TarBlock block;
  block.bytes.fill(0);
  put_text(block, 0, 100, path);
  put_octal(block, 100, 8, entry.mode);
  put_octal(block, 108, 8, entry.uid <= kOctal7Max ? entry.uid : 0);
  put_octal(block, 116, 8, entry.gid <= kOctal7Max ? entry.gid : 0);
  put_octal(block, 124, 12, size <= kOctal11Max ? size : 0);
  bool plain_time = entry.mtime.seconds >= 0 && static_cast<std::uint64_t>(entry.mtime.seconds) <= kOctal11Max;
  put_octal(block, 136, 12, plain_time ? static_cast<std::uint64_t>(entry.mtime.seconds) : 0);
  block.bytes[156] = type;
  put_text(block, 157, 100, link);
  std::memcpy(block.bytes.data() + 257, "ustar\00000", 8);
  put_octal(block, 148, 7, block.checksum());
  block.bytes[155] = ' ';
  return block;
}

std::string time_text(const FileTime& time) {
  // pax counts -0.25 s as "-0.25", the kernel as -1 s + 0.75 s.
  bool below = time.seconds < 0 && time.nanoseconds > 0;
  std::int64_t seconds = below ? time.seconds + 1 : time.seconds;
  std::uint32_t nanoseconds = below ? 1'000'000'000 - time.nanoseconds : time.nanoseconds;
  std::string text = (below && seconds == 0 ? "-" : "") + std::to_string(seconds);
  if (nanoseconds == 0) return text;
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%09u", nanoseconds);
  return text + fraction;
}

std::string sparse_map(const TarEntry& entry) {
  std::string map = std::to_string(entry.extents.size()) + "\n";
  for (const auto& extent : entry.extents)
    map += std::to_string(extent.offset) + "\n" + std::to_string(extent.bytes) + "\n";
  map.append(padding_of(map.size()), '\0');
  return map;
}

std::string attribute_key(const std::string& name) {
  // A key ends at its first '='.
  if (name.find('=') == std::string::npos) return "SCHILY.xattr." + name;
  return "SEBRING.xattr." + percent_encode(name);
}

std::string extended_header(const TarEntry& entry, std::uint64_t stored_bytes) {
  std::string text;
  if (entry.path.size() > 100 && !entry.sparse) text += pax_record("path", entry.path);
  if (entry.link.size() > 100) text += pax_record("linkpath", entry.link);
  if (stored_bytes > kOctal11Max) text += pax_record("size", std::to_string(stored_bytes));
  if (entry.uid > kOctal7Max) text += pax_record("uid", std::to_string(entry.uid));
  if (entry.gid > kOctal7Max) text += pax_record("gid", std::to_string(entry.gid));
  if (entry.mtime.nanoseconds || entry.mtime.seconds < 0 ||
      entry.mtime.seconds > static_cast<std::int64_t>(kOctal11Max))
    text += pax_record("mtime", time_text(entry.mtime));
  if (entry.sparse) {
    text += pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0");
    text += pax_record("GNU.sparse.name", entry.path) + pax_record("GNU.sparse.realsize", std::to_string(entry.size));
  }
  if (entry.literal_name) text += pax_record("SEBRING.literal-name", "1");
  for (const auto& [name, value] : entry.attributes) text += pax_record(attribute_key(name), value);
  return text;
}

}  // namespace

Result<void> TarWriter::begin(const TarEntry& entry) {
  SB_CHECK(pad());
  ++entries_;
  std::uint64_t stored = 0;
  std::string map;
  if (entry.kind == EntryKind::file) {
    stored = entry.size;
    if (entry.sparse) {
      map = sparse_map(entry);
      stored = map.size();
      for (const auto& extent : entry.extents) stored += extent.bytes;
    }
  }
  std::string extended = extended_header(entry, stored);
  if (!extended.empty()) {
    TarEntry header{.path = "PaxHeaders/0", .mode = 0644};
    auto block = make_block(header.path, "", header, 'x', extended.size());
    SB_CHECK(sink_.write(block.bytes.data(), kTarBlock));
    extended.append(padding_of(extended.size()), '\0');
    SB_CHECK(sink_.write(extended.data(), extended.size()));
  }
  // Readers that do not know sparse files must not take the map for the file.
  auto block = make_block(entry.sparse ? std::string_view("GNUSparseFile.0/file") : std::string_view(entry.path),
                          entry.link, entry, type_of(entry.kind), stored);
  SB_CHECK(sink_.write(block.bytes.data(), kTarBlock));
  SB_CHECK(sink_.write(map.data(), map.size()));
  data_left_ = stored - map.size();
  padding_ = padding_of(data_left_);
  return {};
}

Result<void> TarWriter::write_data(std::string_view bytes) {
  SB_ASSERT(bytes.size() <= data_left_);
  data_left_ -= bytes.size();
  return sink_.write(bytes.data(), bytes.size());
}

Result<void> TarWriter::pad() {
  SB_ASSERT(data_left_ == 0);
  static constexpr char kZeros[kTarBlock] = {};
  SB_CHECK(sink_.write(kZeros, static_cast<std::size_t>(padding_)));
  padding_ = 0;
  return {};
}

Result<void> TarWriter::finish() {
  SB_CHECK(pad());
  static constexpr char kEnd[2 * kTarBlock] = {};
  return sink_.write(kEnd, sizeof kEnd);
}

}  // namespace sebring::image
