#include "net/head_check.h"

#include "base/text.h"

namespace sebring::net {
namespace {

bool is_token_char(unsigned char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (!is_token_char(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

std::optional<std::string> request_line_fault(std::string_view line) {
  const auto parts = split(line, ' ');
  if (parts.size() != 3) return "request line is not METHOD TARGET VERSION";
  if (!is_token(parts[0])) return "bad method";
  // Servers take what follows it for a tunnel, on a connection that others use after it.
  if (parts[0] == "CONNECT") return "CONNECT is not served";
  if (parts[1].empty()) return "empty target";
  for (char c : parts[1]) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F) return "control character in target";
  }
  if (parts[1] == "*" && parts[0] != "OPTIONS") return "the target * is for OPTIONS only";
  if (parts[1].front() != '/' && parts[1] != "*") {
    if (!starts_with_ignore_case(parts[1], "http://") && !starts_with_ignore_case(parts[1], "https://")) {
      return "target is neither a path nor a URL";
    }
  }
  if (parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0") return "unsupported HTTP version";
  return std::nullopt;
}

struct Framing {
  int host = 0;
  int content_length = 0;
  int transfer_encoding = 0;
};

std::optional<std::string> field_fault(std::string_view line, Framing& framing) {
  if (line.front() == ' ' || line.front() == '\t') return "folded header line";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "header line without a colon";
  const std::string_view name = line.substr(0, colon);
  if (!is_token(name)) return "bad header name";
  const std::string_view value = trim(line.substr(colon + 1));
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F) return "control character in a header value";
  }
  if (equals_ignore_case(name, "host")) {
    ++framing.host;
    if (value.find_first_of(" \t,/@\\?#") != std::string_view::npos) return "bad Host";
  } else if (equals_ignore_case(name, "content-length")) {
    ++framing.content_length;
    if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string_view::npos) {
      return "bad Content-Length";
    }
  } else if (equals_ignore_case(name, "transfer-encoding")) {
    ++framing.transfer_encoding;
    if (!equals_ignore_case(value, "chunked")) return "Transfer-Encoding must be chunked";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_head_fault(std::string_view head) {
  if (head.find('\0') != std::string_view::npos) return "NUL in the head";
  Framing framing;
  std::string_view first;
  bool is_first = true;
  while (!head.empty()) {
    const std::size_t end = head.find_first_of("\r\n");
    if (end == std::string_view::npos || head[end] == '\n' || end + 1 >= head.size() || head[end + 1] != '\n') {
      return "bare CR or LF";
    }
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (is_first) {
      if (auto fault = request_line_fault(line)) return fault;
      first = line;
      is_first = false;
      continue;
    }
    if (line.empty()) break;
    if (auto fault = field_fault(line, framing)) return fault;
  }
  const bool old = first.ends_with("HTTP/1.0");
  if (framing.host > 1) return "more than one Host";
  if (framing.host == 0 && !old) return "Host is missing";
  if (framing.content_length > 1) return "more than one Content-Length";
  if (framing.transfer_encoding > 1) return "more than one Transfer-Encoding";
  if (framing.transfer_encoding > 0 && framing.content_length > 0)
    return "Content-Length together with Transfer-Encoding";
  if (framing.transfer_encoding > 0 && old) return "Transfer-Encoding in HTTP/1.0";
  return std::nullopt;
}

}  // namespace sebring::net
