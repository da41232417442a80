#include "cli/url.h"

#include "base/text.h"

namespace sebring::cli {

Result<Url> parse_url(std::string_view text) {
  auto bad = [&] {
    return fail(Errc::invalid_argument, "\"" + std::string(text) + "\" is no http:// or https:// URL");
  };
  Url out;
  std::string_view rest = text;
  if (starts_with_ignore_case(rest, "http://")) {
    rest.remove_prefix(7);
  } else if (starts_with_ignore_case(rest, "https://")) {
    rest.remove_prefix(8);
    out.tls = true;
    out.port = 443;
  } else {
    return bad();
  }
  for (unsigned char c : rest)
    if (c <= 0x20 || c >= 0x7f || c == '?' || c == '#' || c == '@' || c == '\\') return bad();
  std::string_view authority = rest.substr(0, rest.find('/'));
  std::string_view path = rest.substr(authority.size());
  while (path.ends_with('/')) path.remove_suffix(1);
  out.base_path = path;

  std::string_view port;
  if (authority.starts_with('[')) {
    std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad();
    out.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    std::size_t colon = authority.find(':');
    out.host = to_lower(authority.substr(0, colon));
    port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (out.host.empty()) return bad();
  if (!port.empty()) {
    auto number = parse_integer(port.substr(1));
    if (port.front() != ':' || !number || *number < 1 || *number > 65535) return bad();
    out.port = static_cast<std::uint16_t>(*number);
  }
  return out;
}

std::string Url::host_header() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) out += ":" + std::to_string(port);
  return out;
}

std::string Url::origin() const { return (tls ? "https://" : "http://") + host_header(); }

}  // namespace sebring::cli
