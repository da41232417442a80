#pragma once
// Small things about text that several folders need.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sebring {

std::string to_lower(std::string_view text);                  // ASCII only
bool equals_ignore_case(std::string_view a, std::string_view b);  // ASCII only
bool starts_with_ignore_case(std::string_view text, std::string_view prefix);
std::string_view trim(std::string_view text);                 // spaces, tabs, CR, LF
std::vector<std::string_view> split(std::string_view text, char separator);  // keeps empty parts; "" gives one
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// Whole text must be a plain decimal number: no sign but '-', no spaces, no leading '+'; out of range is nullopt.
std::optional<std::int64_t> parse_integer(std::string_view text);
bool is_valid_utf8(std::string_view text);
// Invalid sequences become U+FFFD.
std::string to_valid_utf8(std::string_view text);
bool constant_time_equal(std::string_view a, std::string_view b);

std::string base64_encode(std::string_view bytes);
std::string base64url_encode(std::string_view bytes);  // without padding
// Either alphabet, padding optional. nullopt for anything else.
std::optional<std::string> base64_decode(std::string_view text);

std::string percent_encode(std::string_view text);  // keeps unreserved characters of RFC 3986
// nullopt for a bad escape. With `plus_is_space` as in form data and query strings.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace sebring
