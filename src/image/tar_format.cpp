#include "image/tar_format.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace sebring::image {
namespace {

std::optional<std::int64_t> parse_binary_number(std::string_view field, bool may_be_negative) {
  bool negative = static_cast<unsigned char>(field[0]) & 0x40;
  if (negative && !may_be_negative) return std::nullopt;
  // Two's complement of 8 * size - 1 bits. All bits beyond the lowest 64 must repeat the sign.
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    auto byte = static_cast<unsigned char>(field[i]);
    if (i == 0) byte = static_cast<unsigned char>(negative ? byte | 0x80 : byte & 0x7f);
    auto top = static_cast<std::int64_t>(value) >> 55;  // what would be shifted out, with the sign that would remain
    if (top != 0 && top != -1) return std::nullopt;
    value = value << 8 | byte;
  }
  auto number = static_cast<std::int64_t>(value);
  if ((number < 0) != negative) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::int64_t> parse_tar_number(std::string_view field, bool may_be_negative) {
  if (field.empty()) return std::nullopt;
  if (static_cast<unsigned char>(field[0]) & 0x80) return parse_binary_number(field, may_be_negative);
  std::size_t at = 0;
  while (at < field.size() && field[at] == ' ') ++at;
  std::uint64_t value = 0;
  for (; at < field.size() && field[at] != ' ' && field[at] != '\0'; ++at) {
    if (field[at] < '0' || field[at] > '7') return std::nullopt;
    if (value >> 60) return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(field[at] - '0');
  }
  for (; at < field.size(); ++at)
    if (field[at] != ' ' && field[at] != '\0') return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::optional<FileTime> parse_pax_time(std::string_view text) {
  auto point = text.find('.');
  std::string_view whole = text.substr(0, point);
  auto seconds = parse_integer(whole);
  if (!seconds) return std::nullopt;
  FileTime time{*seconds, 0};
  if (point == std::string_view::npos) return time;
  std::uint32_t unit = 100'000'000;
  for (char digit : text.substr(point + 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    time.nanoseconds += static_cast<std::uint32_t>(digit - '0') * unit;
    unit /= 10;
  }
  if (whole.starts_with('-') && time.nanoseconds) {  // -1.25 is -2 s + 0.75 s
    if (time.seconds == std::numeric_limits<std::int64_t>::min()) return std::nullopt;
    --time.seconds;
    time.nanoseconds = 1'000'000'000 - time.nanoseconds;
  }
  return time;
}

Result<std::vector<PaxRecord>> parse_pax_records(std::string_view text) {
  std::vector<PaxRecord> records;
  while (!text.empty()) {
    auto space = text.find(' ');
    if (space == std::string_view::npos || space > 8)
      return fail(Errc::unprocessable, "extended header: a record has no length");
    auto length = parse_integer(text.substr(0, space));
    if (!length || *length <= static_cast<std::int64_t>(space) + 1 || static_cast<std::uint64_t>(*length) > text.size())
      return fail(Errc::unprocessable, "extended header: a record's length is wrong");
    std::string_view body = text.substr(space + 1, static_cast<std::size_t>(*length) - space - 1);
    auto equals = body.find('=');
    if (!body.ends_with('\n') || equals == std::string_view::npos || equals == 0)
      return fail(Errc::unprocessable, "extended header: a record is not \"key=value\" and a line end");
    std::string_view key = body.substr(0, equals);
    if (key.find('\0') != std::string_view::npos)
      return fail(Errc::unprocessable, "extended header: a key holds a NUL");
    records.push_back({key, body.substr(equals + 1, body.size() - equals - 2)});
    text.remove_prefix(static_cast<std::size_t>(*length));
  }
  return records;
}

std::string pax_record(std::string_view key, std::string_view value) {
  std::size_t rest = key.size() + value.size() + 3;  // space, '=', line end
  std::size_t length = rest + std::to_string(rest).size();
  if (std::to_string(length).size() + rest > length) ++length;  // the length counts its own digits
  std::string record = std::to_string(length);
  record += ' ';
  record += key;
  record += '=';
  record += value;
  record += '\n';
  return record;
}

std::string_view TarBlock::text(std::size_t at, std::size_t size) const {
  std::string_view whole = field(at, size);
  return whole.substr(0, whole.find('\0'));
}

bool TarBlock::is_zero() const {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

std::uint32_t TarBlock::checksum() const {
  std::uint32_t sum = 8 * ' ';  // its own field counts as spaces
  for (std::size_t i = 0; i < kTarBlock; ++i)
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(bytes[i]);
  return sum;
}

bool TarBlock::checksum_matches() const {
  auto stored = parse_tar_number(field(148, 8), false);
  if (!stored) return false;
  if (static_cast<std::uint64_t>(*stored) == checksum()) return true;
  // Some old programs have summed signed characters.
  std::int64_t sum = 8 * ' ';
  for (std::size_t i = 0; i < kTarBlock; ++i)
    if (i < 148 || i >= 156) sum += static_cast<signed char>(bytes[i]);
  return *stored == sum;
}

}  // namespace sebring::image
