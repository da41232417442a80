#pragma once
// What one 512-byte header of a tar says, and what extended headers add. Pure functions.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sebring::image {

inline constexpr std::size_t kTarBlock = 512;

enum class EntryKind { file, hard_link, symbolic_link, directory, fifo, device };

struct FileTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  bool operator==(const FileTime&) const = default;
};

// A run of bytes that is stored; what lies between runs reads as zeros.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Extent&) const = default;
};

struct TarEntry {
  EntryKind kind = EntryKind::file;
  std::string path;        // as written: may be anything but empty or hold a NUL
  std::string link;        // target of links, likewise
  std::uint32_t mode = 0;  // 07777
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  FileTime mtime;
  std::uint64_t size = 0;                                       // as a program sees it, holes included
  bool sparse = false;                                          // then only `extents` are stored
  std::vector<Extent> extents;                                  // in order, apart, below size
  std::vector<std::pair<std::string, std::string>> attributes;  // extended ones: full name, value; sorted
  bool literal_name = false;    // our own archives: a name that begins with ".wh." and is no whiteout
  std::uint32_t text_acls = 0;  // access lists in a form that is not understood
};

// A number in a header: octal text, or binary with the first bit set. nullopt for anything else, and below zero unless
// `may_be_negative`.
std::optional<std::int64_t> parse_tar_number(std::string_view field, bool may_be_negative);
// "1700000000.123456789", "-1.5". Digits behind the ninth are cut.
std::optional<FileTime> parse_pax_time(std::string_view text);

struct PaxRecord {
  std::string_view key;
  std::string_view value;
};
// All of an extended header's records; views into `text`.
Result<std::vector<PaxRecord>> parse_pax_records(std::string_view text);
std::string pax_record(std::string_view key, std::string_view value);

// Fields of one header block by their position.
struct TarBlock {
  std::array<char, kTarBlock> bytes;

  std::string_view field(std::size_t at, std::size_t size) const { return {bytes.data() + at, size}; }
  // Up to its first NUL.
  std::string_view text(std::size_t at, std::size_t size) const;
  char type() const { return bytes[156]; }
  bool is_zero() const;
  bool is_gnu() const { return field(257, 8) == std::string_view("ustar  \0", 8); }
  bool is_ustar() const { return field(257, 6) == std::string_view("ustar\0", 6); }
  std::uint32_t checksum() const;
  bool checksum_matches() const;
};

}  // namespace sebring::image
