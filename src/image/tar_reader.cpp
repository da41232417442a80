#include "image/tar_reader.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "image/tar_overrides.h"

namespace sebring::image {
namespace {

constexpr std::size_t kBufferBytes = 1 << 20;
constexpr int kExtensionsMax = 8;  // before one entry

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace

TarReader::TarReader(ByteSource& source, const TarLimits& limits)
    : source_(source), limits_(limits), buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}
TarReader::~TarReader() = default;

// At least one byte, or none at the end of the source.
Result<std::string_view> TarReader::take(std::size_t bytes_max) {
  if (begin_ == end_) {
    SB_TRY(std::size_t n, source_.read(buffer_.get(), kBufferBytes));
    begin_ = 0;
    end_ = n;
  }
  std::size_t n = std::min(bytes_max, end_ - begin_);
  std::string_view taken(buffer_.get() + begin_, n);
  begin_ += n;
  return taken;
}

// False when the source ends before the first byte.
Result<bool> TarReader::read_exactly(char* into, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    SB_TRY(auto part, take(bytes - done));
    if (part.empty()) {
      if (done == 0) return false;
      return broken_tar("ends in the middle");
    }
    std::memcpy(into + done, part.data(), part.size());
    done += part.size();
  }
  return true;
}

Result<bool> TarReader::read_block(TarBlock& block) { return read_exactly(block.bytes.data(), kTarBlock); }

Result<void> TarReader::skip(std::uint64_t bytes) {
  while (bytes > 0) {
    SB_TRY(auto part, take(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kBufferBytes))));
    if (part.empty()) return broken_tar("ends in the middle");
    bytes -= part.size();
  }
  return {};
}

Result<std::string> TarReader::read_extension(const TarBlock& block) {
  auto size = parse_tar_number(block.field(124, 12), false);
  if (!size) return broken_tar("an extended header's size is not a number");
  if (static_cast<std::uint64_t>(*size) > limits_.extended_bytes_max)
    return fail(Errc::too_large,
                "tar: an extended header is larger than " + std::to_string(limits_.extended_bytes_max) + " bytes");
  std::string text(static_cast<std::size_t>(*size), '\0');
  if (!text.empty()) {
    SB_TRY(bool there, read_exactly(text.data(), text.size()));
    if (!there) return broken_tar("ends in the middle");
  }
  SB_CHECK(skip(tar_padding(text.size())));
  return text;
}

Result<void> TarReader::read_overrides(const TarBlock& block, Overrides& overrides) {
  SB_TRY(std::string text, read_extension(block));
  if (block.type() == 'L' || block.type() == 'K') {
    text.resize(std::min(text.size(), text.find('\0')));
    if (text.empty()) return broken_tar("a long name is empty");
    (block.type() == 'L' ? overrides.long_path : overrides.long_link) = std::move(text);
    return {};
  }
  SB_TRY(auto records, parse_pax_records(text));
  for (const auto& record : records) {
    if (record.key == "GNU.sparse.offset" || record.key == "GNU.sparse.numbytes") {
      auto number = parse_integer(record.value);
      bool is_offset = record.key == "GNU.sparse.offset";
      if (!number || *number < 0 || is_offset == overrides.half_pair) return broken_tar("a sparse map is broken");
      if (overrides.sparse_pairs.size() >= limits_.extents_max)
        return fail(Errc::too_large, "tar: a sparse map is too long");
      if (is_offset)
        overrides.sparse_pairs.push_back({static_cast<std::uint64_t>(*number), 0});
      else
        overrides.sparse_pairs.back().bytes = static_cast<std::uint64_t>(*number);
      overrides.half_pair = is_offset;
      continue;
    }
    overrides.records.insert_or_assign(std::string(record.key), std::string(record.value));
  }
  return {};
}

// Global headers set defaults for all that follows. Owners and times are taken, comments ignored; what would give many
// entries one name, size or content is refused.
Result<void> TarReader::read_global(const TarBlock& block) {
  SB_TRY(std::string text, read_extension(block));
  SB_TRY(auto records, parse_pax_records(text));
  for (const auto& record : records) {
    if (record.key == "path" || record.key == "linkpath" || record.key == "size" ||
        record.key.starts_with("GNU.sparse.") || record.key.starts_with("SCHILY.") ||
        record.key.starts_with("SEBRING."))
      return broken_tar("a global header sets \"" + std::string(record.key.substr(0, 64)) + "\"");
    if (record.key == "uid" || record.key == "gid" || record.key == "mtime")
      global_.insert_or_assign(std::string(record.key), std::string(record.value));
  }
  return {};
}

Result<std::optional<TarEntry>> TarReader::next() {
  if (ended_) return std::nullopt;
  SB_CHECK(skip(data_left_ + padding_));
  data_left_ = padding_ = 0;
  Overrides overrides;
  for (int extensions = 0;; ++extensions) {
    TarBlock block;
    SB_TRY(bool there, read_block(block));
    if (!there || block.is_zero()) {
      if (extensions) return broken_tar("ends behind an extended header");
      ended_ = true;
      if (there) SB_CHECK(finish_archive());
      return std::nullopt;
    }
    if (!block.checksum_matches()) return broken_tar("a header's checksum is wrong");
    if (char type = block.type(); type != 'x' && type != 'g' && type != 'L' && type != 'K') {
      if (++entries_ > limits_.entries_max)
        return fail(Errc::too_large, "tar: more than " + std::to_string(limits_.entries_max) + " entries");
      SB_TRY(auto entry, read_entry(block, overrides));
      return std::optional(std::move(entry));
    }
    if (extensions == kExtensionsMax) return broken_tar("too many extended headers before one entry");
    SB_CHECK(block.type() == 'g' ? read_global(block) : read_overrides(block, overrides));
  }
}

// Two zero blocks end an archive; programs fill up their last record with more. Anything else behind the end is not
// shown by every reader alike, so it has no place here.
Result<void> TarReader::finish_archive() {
  for (;;) {
    SB_TRY(auto part, take(kBufferBytes));
    if (part.empty()) return {};
    if (part[0] != 0 || std::memcmp(part.data(), part.data() + 1, part.size() - 1) != 0)
      return broken_tar("something follows its end");
  }
}

Result<void> TarReader::read_names(const TarBlock& block, const Overrides& overrides, TarEntry& entry) {
  entry.path = block.text(0, 100);
  if (block.is_ustar()) {
    // star's old format keeps times in the last 24 bytes of the prefix, and says so in the last four of the block.
    bool star = block.field(508, 4) == std::string_view("tar\0", 4);
    auto prefix = block.text(345, star ? 131 : 155);
    if (!prefix.empty()) entry.path = std::string(prefix) + "/" + entry.path;
  }
  if (overrides.long_path) entry.path = *overrides.long_path;
  if (const auto* path = overrides.find("path")) entry.path = *path;
  if (const auto* path = overrides.find("GNU.sparse.name")) entry.path = *path;
  entry.link = block.text(157, 100);
  if (overrides.long_link) entry.link = *overrides.long_link;
  if (const auto* link = overrides.find("linkpath")) entry.link = *link;
  if (entry.path.empty() || has_nul(entry.path) || has_nul(entry.link))
    return broken_tar("a name is empty or holds a NUL");
  return {};
}

Result<void> TarReader::read_owner(const TarBlock& block, const Overrides& overrides, TarEntry& entry) {
  auto mode = parse_tar_number(block.field(100, 8), false);
  auto uid = parse_tar_number(block.field(108, 8), false);
  auto gid = parse_tar_number(block.field(116, 8), false);
  auto mtime = parse_tar_number(block.field(136, 12), true);
  if (!mode || !uid || !gid || !mtime) return broken_tar("mode, owner or time is not a number");
  entry.mode = static_cast<std::uint32_t>(*mode) & 07777;
  entry.uid = static_cast<std::uint64_t>(*uid);
  entry.gid = static_cast<std::uint64_t>(*gid);
  entry.mtime = {*mtime, 0};
  Overrides defaults;
  defaults.records = global_;
  for (const Overrides* from : {&std::as_const(defaults), &overrides}) {
    SB_TRY(auto pax_uid, from->number("uid"));
    SB_TRY(auto pax_gid, from->number("gid"));
    if (pax_uid) entry.uid = *pax_uid;
    if (pax_gid) entry.gid = *pax_gid;
    if (const auto* text = from->find("mtime")) {
      auto time = parse_pax_time(*text);
      if (!time) return broken_tar("mtime is not a time");
      entry.mtime = *time;
    }
  }
  return {};
}

namespace {

Result<EntryKind> kind_of(char type, bool named_like_directory) {
  switch (type) {
    case '\0':
      if (named_like_directory) return EntryKind::directory;  // before ustar
      [[fallthrough]];
    case '0':
    case '7':
    case 'S':
      return EntryKind::file;
    case '1':
      return EntryKind::hard_link;
    case '2':
      return EntryKind::symbolic_link;
    case '3':
    case '4':
      return EntryKind::device;
    case '5':
      return EntryKind::directory;
    case '6':
      return EntryKind::fifo;
  }
  return broken_tar("an entry has the unknown type " + std::to_string(static_cast<unsigned char>(type)));
}

Result<void> add_attributes(const std::map<std::string, std::string, std::less<>>& records, TarEntry& entry) {
  constexpr std::string_view kPlain = "SCHILY.xattr.", kEscaped = "SEBRING.xattr.";
  for (const auto& [key, value] : records) {
    if (key.starts_with(kPlain)) {
      entry.attributes.emplace_back(key.substr(kPlain.size()), value);
    } else if (key.starts_with(kEscaped)) {
      auto name = percent_decode(std::string_view(key).substr(kEscaped.size()));
      if (!name || has_nul(*name)) return broken_tar("an attribute's name is not well escaped");
      entry.attributes.emplace_back(*name, value);
    } else if (key.starts_with("SCHILY.acl.")) {
      ++entry.text_acls;
    }
  }
  std::sort(entry.attributes.begin(), entry.attributes.end());
  return {};
}

}  // namespace

Result<TarEntry> TarReader::read_entry(const TarBlock& block, const Overrides& overrides) {
  TarEntry entry;
  SB_CHECK(read_names(block, overrides, entry));
  SB_TRY(entry.kind, kind_of(block.type(), entry.path.ends_with('/')));
  SB_CHECK(read_owner(block, overrides, entry));
  SB_CHECK(add_attributes(overrides.records, entry));
  entry.literal_name = overrides.find("SEBRING.literal-name") != nullptr;
  extents_.clear();
  extent_ = 0;
  extent_done_ = 0;
  if (entry.kind != EntryKind::file) return entry;  // whatever size they claim, nothing is stored

  auto size = parse_tar_number(block.field(124, 12), false);
  if (!size) return broken_tar("a size is not a number");
  SB_TRY(auto pax_size, overrides.number("size"));
  data_left_ = pax_size.value_or(static_cast<std::uint64_t>(*size));
  if (data_left_ > limits_.file_bytes_max)
    return fail(Errc::too_large, "tar: a file is larger than " + std::to_string(limits_.file_bytes_max) + " bytes");
  padding_ = tar_padding(data_left_);
  entry.size = data_left_;
  SB_CHECK(block.type() == 'S' ? read_gnu_sparse_map(block, entry) : read_pax_sparse_map(overrides, entry));
  if (entry.sparse) SB_CHECK(check_extents(entry));
  extents_ = entry.sparse ? entry.extents : std::vector<Extent>{{0, entry.size}};
  return entry;
}

Result<TarReader::Piece> TarReader::piece() {
  while (extent_ < extents_.size() && extent_done_ == extents_[extent_].bytes) {
    ++extent_;
    extent_done_ = 0;
  }
  if (extent_ == extents_.size()) return Piece{};
  const Extent& extent = extents_[extent_];
  std::uint64_t wanted = std::min<std::uint64_t>(extent.bytes - extent_done_, kBufferBytes);
  SB_TRY(auto bytes, take(static_cast<std::size_t>(wanted)));
  if (bytes.empty()) return broken_tar("ends in the middle");
  Piece piece{extent.offset + extent_done_, bytes};
  extent_done_ += bytes.size();
  data_left_ -= bytes.size();
  return piece;
}

}  // namespace sebring::image
