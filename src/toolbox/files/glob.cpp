#include "toolbox/files/glob.h"

#include <cstddef>
#include <optional>

namespace sebring::toolbox::files {
namespace {

// One character as UTF-8 has it; a byte that is part of none counts as one.
std::string_view take_character(std::string_view& text) {
  const unsigned char first = static_cast<unsigned char>(text[0]);
  std::size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) length = 1;
  }
  const std::string_view character = text.substr(0, length);
  text.remove_prefix(length);
  return character;
}

// A character of a set, where \ makes the next one plain. nullopt when the set does not end.
std::optional<std::string_view> take_set_character(std::string_view& pattern) {
  if (pattern.empty() || pattern[0] == '-' || pattern[0] == ']') return std::nullopt;
  if (pattern[0] == '\\') pattern.remove_prefix(1);
  if (pattern.empty()) return std::nullopt;
  return take_character(pattern);
}

bool in_order(std::string_view a, std::string_view b) {  // by code point: longer sequences are higher
  return a.size() != b.size() ? a.size() < b.size() : a <= b;
}

// Takes a set behind its '[' off `pattern`: whether `character` is in it, nullopt when it is no good set.
std::optional<bool> take_set(std::string_view& pattern, std::string_view character) {
  bool negated = false;
  if (!pattern.empty() && (pattern[0] == '^' || pattern[0] == '!')) {
    negated = true;
    pattern.remove_prefix(1);
  }
  bool found = false;
  for (bool any = false;; any = true) {
    if (!pattern.empty() && pattern[0] == ']' && any) break;
    const auto low = take_set_character(pattern);
    if (!low || pattern.empty()) return std::nullopt;
    auto high = low;
    if (pattern[0] == '-') {
      pattern.remove_prefix(1);
      high = take_set_character(pattern);
      if (!high) return std::nullopt;
    }
    if (in_order(*low, character) && in_order(character, *high)) found = true;
  }
  pattern.remove_prefix(1);
  return found != negated;
}

}  // namespace

bool is_good_pattern(std::string_view pattern) {
  while (!pattern.empty()) {
    const char c = pattern[0];
    pattern.remove_prefix(1);
    if (c == '[' && !take_set(pattern, "")) return false;
    if (c == '\\') {
      if (pattern.empty()) return false;
      pattern.remove_prefix(1);
    }
  }
  return true;
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
  // The last star and where the name stood then: on a mismatch it takes one character more. No other backtracking.
  std::optional<std::string_view> star;
  std::string_view star_name;
  for (;;) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      star = pattern;
      star_name = name;
      continue;
    }
    if (pattern.empty() && name.empty()) return true;
    bool good = false;
    if (!pattern.empty() && !name.empty()) {
      const char c = pattern[0];
      pattern.remove_prefix(1);
      if (c == '?') {
        take_character(name);
        good = true;
      } else if (c == '[') {
        const std::string_view character = take_character(name);
        good = take_set(pattern, character).value_or(false);
      } else {
        char wanted = c;
        if (c == '\\' && !pattern.empty()) {
          wanted = pattern[0];
          pattern.remove_prefix(1);
        }
        good = name[0] == wanted;
        name.remove_prefix(1);
      }
    }
    if (good) continue;
    if (!star || star_name.empty()) return false;
    take_character(star_name);
    pattern = *star;
    name = star_name;
  }
}

}  // namespace sebring::toolbox::files
