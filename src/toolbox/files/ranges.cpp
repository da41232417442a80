#include "toolbox/files/ranges.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace sebring::toolbox::files {
namespace {

std::optional<std::uint64_t> parse_position(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return ~std::uint64_t{0};
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

RangeAnswer parse_range(std::string_view header, std::uint64_t size) {
  header = trim(header);
  constexpr std::string_view kUnit = "bytes=";
  if (!starts_with_ignore_case(header, kUnit)) return {};
  header.remove_prefix(kUnit.size());
  if (header.find(',') != std::string_view::npos) return {};
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view first_text = trim(header.substr(0, dash));
  const std::string_view last_text = trim(header.substr(dash + 1));
  if (first_text.empty()) {
    const auto suffix = parse_position(last_text);
    if (!suffix) return {};
    if (*suffix == 0 || size == 0) return {.unsatisfiable = true, .range = {}};
    const std::uint64_t length = std::min(*suffix, size);
    return {.unsatisfiable = false, .range = ByteRange{size - length, length}};
  }
  const auto first = parse_position(first_text);
  if (!first) return {};
  std::uint64_t last = ~std::uint64_t{0};
  if (!last_text.empty()) {
    const auto parsed = parse_position(last_text);
    if (!parsed || *parsed < *first) return {};
    last = *parsed;
  }
  if (*first >= size) return {.unsatisfiable = true, .range = {}};
  return {.unsatisfiable = false, .range = ByteRange{*first, std::min(last, size - 1) - *first + 1}};
}

}  // namespace sebring::toolbox::files
