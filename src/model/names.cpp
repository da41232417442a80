#include "model/names.h"

#include <array>

#include "base/text.h"

namespace sebring::model {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "<b", "</b", "<!--": what a browser would take for markup. A lone '<' is text.
bool has_tag(std::string_view text) {
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    if (at + 1 >= text.size()) return false;
    const char next = text[at + 1];
    if (is_letter(next) || next == '/' || next == '!' || next == '?') return true;
  }
  return false;
}

bool has_address(std::string_view text) {
  const std::string lower = to_lower(text);
  if (lower.find("://") != std::string::npos || lower.find("www.") != std::string::npos) return true;
  constexpr std::array<std::string_view, 6> kSchemes = {
      "javascript:", "mailto:", "data:", "vbscript:", "file:", "tel:"};
  for (std::string_view scheme : kSchemes) {
    const std::size_t at = lower.find(scheme);
    // "metadata:1" is a name like any other: the scheme must begin a word.
    if (at != std::string::npos && (at == 0 || !(is_letter(lower[at - 1]) || is_digit(lower[at - 1])))) return true;
  }
  return false;
}

bool has_control(std::string_view text) {
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return true;
  }
  // U+0080..U+009F are control characters too: C2 80 .. C2 9F.
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xC2' && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

constexpr std::size_t kNameBytesMax = 255;

bool is_reference_char(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-' || c == ':'; }

bool is_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + 64) return false;
  for (char c : text.substr(kPrefix.size())) {
    if (!is_digit(c) && !(c >= 'a' && c <= 'f')) return false;
  }
  return true;
}

// part("/"part)*("@sha256:"64 hex)?
bool is_reference(std::string_view text) {
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    if (!is_digest(text.substr(at + 1))) return false;
    text = text.substr(0, at);
  }
  for (std::string_view part : split(text, '/')) {
    if (part.empty()) return false;
    for (char c : part) {
      if (!is_reference_char(c)) return false;
    }
  }
  return true;
}

std::unexpected<Error> bad(std::string message) { return fail(Errc::invalid_argument, std::move(message)); }

}  // namespace

Result<void> check_name(std::string_view name, std::string_view field) {
  if (has_tag(name) || has_address(name) || has_control(name)) {
    return bad(std::string(field) + " must not contain HTML tags, URLs, or control characters");
  }
  if (name.size() > kNameBytesMax) {
    return bad(std::string(field) + " must be at most " + std::to_string(kNameBytesMax) + " bytes long");
  }
  return {};
}

Result<void> check_snapshot_name(std::string_view name) {
  SB_CHECK(check_name(name));
  if (!is_reference(name)) {
    return bad("Invalid snapshot name format. May contain letters, digits, dots, colons, and dashes");
  }
  return {};
}

Result<void> check_image_name(std::string_view name) {
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    if (!is_digest(name.substr(at + 1)) || at == 0) {
      return bad("Invalid digest format. Must be image@sha256:64_hex_characters");
    }
  } else {
    const std::size_t slash = name.rfind('/');
    const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
    const std::size_t colon = last.find(':');
    if (colon == std::string_view::npos || colon + 1 == last.size()) {
      return bad("Image name must include a tag (e.g., ubuntu:22.04) or digest (@sha256:...)");
    }
    if (last.ends_with(":latest")) return bad("Images with tag \":latest\" are not allowed");
  }
  if (!is_reference(name)) {
    return bad("Invalid image name format. May contain letters, digits, dots, colons, and dashes");
  }
  return {};
}

Result<void> check_environment_name(std::string_view name) {
  bool good = !name.empty() && name.find('=') == std::string_view::npos;
  for (char c : name) good = good && static_cast<unsigned char>(c) >= 0x20 && c != 0x7F;
  if (!good) return bad("Invalid environment variable name: '" + std::string(name) + "'");
  return {};
}

Result<void> check_mount_path(std::string_view path) {
  const std::string shown(path);
  if (path.empty() || path[0] != '/') return bad("Invalid mount path " + shown + " (must be absolute)");
  if (path == "/") return bad("Invalid mount path / (cannot mount to the root directory)");
  if (path.find("//") != std::string_view::npos) return bad("Invalid mount path " + shown + " (consecutive slashes)");
  if (path.find('\0') != std::string_view::npos) return bad("Invalid mount path (contains NUL)");
  std::string_view rest = path.substr(1);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto parts = split(rest, '/');
  for (std::string_view part : parts) {
    if (part == "." || part == "..") return bad("Invalid mount path " + shown + " (relative path components)");
  }
  for (std::string_view system : {"proc", "sys", "dev", "boot", "etc", "bin", "sbin", "lib", "lib64"}) {
    if (parts[0] == system) return bad("Invalid mount path " + shown + " (cannot mount to system directory)");
  }
  return {};
}

Result<void> check_subpath(std::string_view path) {
  const std::string shown(path);
  if (path.starts_with('/')) return bad("Invalid subpath " + shown + " (must be relative)");
  if (path.find("//") != std::string_view::npos) return bad("Invalid subpath " + shown + " (consecutive slashes)");
  if (path.find('\0') != std::string_view::npos) return bad("Invalid subpath (contains NUL)");
  for (std::string_view part : split(path, '/')) {
    if (part == "..") return bad("Invalid subpath " + shown + " (relative path components)");
  }
  return {};
}

}  // namespace sebring::model
