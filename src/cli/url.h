#pragma once
// What the CLI has to know of a URL: where to connect and what stands before each path.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::cli {

struct Url {
  bool tls = false;
  std::string host;  // without brackets
  std::uint16_t port = 80;
  std::string base_path;  // "" or "/api", no slash at the end

  std::string host_header() const;
  std::string origin() const;  // "http://host:port", the port left out when it is the scheme's
  std::string text() const { return origin() + base_path; }
  bool same_origin(const Url& other) const { return tls == other.tls && host == other.host && port == other.port; }
};
// http:// and https:// only; no user, query or fragment. Errc::invalid_argument naming the text.
Result<Url> parse_url(std::string_view text);

}  // namespace sebring::cli
