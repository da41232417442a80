#include "net/request_head.h"

#include <cstdint>

#include "base/text.h"

namespace sebring::net {
namespace {

// By byte: what tokens are made of (RFC 9110 5.6.2), what ends a line or may stand in no value, what a target may not
// hold. Plain arrays: each byte of each head goes through here.
struct Bytes {
  bool token[256];
  bool control[256];
  bool not_in_target[256];
};
constexpr Bytes kBytes = [] {
  Bytes bytes{};
  constexpr std::string_view kSigns = "!#$%&'*+-.^_`|~";
  for (unsigned c = 0; c < 256; ++c) {
    const bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bytes.token[c] = letter || (c < 0x80 && kSigns.find(static_cast<char>(c)) != std::string_view::npos);
    bytes.control[c] = (c < 0x20 && c != '\t') || c == 0x7F;
    bytes.not_in_target[c] = c <= 0x20 || c == 0x7F;
  }
  return bytes;
}();

bool has_any(const bool (&set)[256], std::string_view text) {
  for (const char c : text) {
    if (set[static_cast<unsigned char>(c)]) return true;
  }
  return false;
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!kBytes.token[static_cast<unsigned char>(c)]) return false;
  }
  return !text.empty();
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::string> read_request_line(std::string_view line, RawHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == last || line.find(' ', first + 1) != last) return "request line is not METHOD TARGET VERSION";
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return "bad method";
  // Servers take what follows it for a tunnel, on a connection that others use after it.
  if (method == "CONNECT") return "CONNECT is not served";
  if (target.empty()) return "empty target";
  if (has_any(kBytes.not_in_target, target)) return "control character in target";
  if (target == "*" && method != "OPTIONS") return "the target * is for OPTIONS only";
  if (target.front() != '/' && target != "*") {
    if (!starts_with_ignore_case(target, "http://") && !starts_with_ignore_case(target, "https://")) {
      return "target is neither a path nor a URL";
    }
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return "unsupported HTTP version";
  head.method = method;
  head.target = target;
  head.version_minor = version.back() - '0';
  return std::nullopt;
}

struct Framing {
  int host = 0;
  int content_length = 0;
  int transfer_encoding = 0;
  bool length_is_zero = false;
};

std::optional<std::string> framing_fault(std::string_view name, std::string_view value, Framing& framing) {
  if (equals_ignore_case(name, "host")) {
    ++framing.host;
    if (value.find_first_of(" \t,/@\\?#") != std::string_view::npos) return "bad Host";
  } else if (equals_ignore_case(name, "content-length")) {
    ++framing.content_length;
    if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string_view::npos) {
      return "bad Content-Length";
    }
    framing.length_is_zero = value.find_first_not_of('0') == std::string_view::npos;
  } else if (equals_ignore_case(name, "transfer-encoding")) {
    ++framing.transfer_encoding;
    if (!equals_ignore_case(value, "chunked")) return "Transfer-Encoding must be chunked";
  }
  return std::nullopt;
}

std::optional<std::string> read_field(std::string_view line, Framing& framing, std::vector<Header>& fields) {
  if (line.front() == ' ' || line.front() == '\t') return "folded header line";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "header line without a colon";
  const std::string_view name = line.substr(0, colon);
  if (!is_token(name)) return "bad header name";
  const std::string_view value = without_blanks(line.substr(colon + 1));
  if (has_any(kBytes.control, value)) return "control character in a header value";
  if (auto fault = framing_fault(name, value, framing)) return fault;
  fields.push_back({name, value});
  return std::nullopt;
}

}  // namespace

std::optional<std::string> read_request_head(std::string_view bytes, RawHead& into) {
  if (bytes.find('\0') != std::string_view::npos) return "NUL in the head";
  into.fields.clear();
  Framing framing;
  bool is_first = true;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\r');
    if (end == std::string_view::npos || end + 1 >= bytes.size() || bytes[end + 1] != '\n') return "bare CR or LF";
    const std::string_view line = bytes.substr(0, end);
    if (line.find('\n') != std::string_view::npos) return "bare CR or LF";
    bytes.remove_prefix(end + 2);
    if (is_first) {
      if (auto fault = read_request_line(line, into)) return fault;
      is_first = false;
      continue;
    }
    if (line.empty()) break;
    if (auto fault = read_field(line, framing, into.fields)) return fault;
  }
  const bool old = into.version_minor == 0;
  if (framing.host > 1) return "more than one Host";
  if (framing.host == 0 && !old) return "Host is missing";
  if (framing.content_length > 1) return "more than one Content-Length";
  if (framing.transfer_encoding > 1) return "more than one Transfer-Encoding";
  if (framing.transfer_encoding > 0 && framing.content_length > 0)
    return "Content-Length together with Transfer-Encoding";
  if (framing.transfer_encoding > 0 && old) return "Transfer-Encoding in HTTP/1.0";
  into.has_body = framing.transfer_encoding > 0 || (framing.content_length > 0 && !framing.length_is_zero);
  return std::nullopt;
}

RequestHead own_head(const RawHead& raw) {
  RequestHead head;
  head.method = raw.method;
  head.target = raw.target;
  head.version_minor = raw.version_minor;
  for (const Header& field : raw.fields) head.headers.add(field.name, field.value);
  return head;
}

bool is_field_name(std::string_view text) { return is_token(text); }
bool is_field_value(std::string_view text) { return !has_any(kBytes.control, text); }

}  // namespace sebring::net
