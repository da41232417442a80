#pragma once
// Where a preview is: by host name `<port>-<id or token>.<domain>` or by path `/preview/<id or token>/<port>/...`.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::proxy {

struct PreviewName {
  std::uint16_t port = 0;
  std::string label;      // sandbox id, or a signed token
  bool is_token = false;  // 16 of [a-z0-9] instead of a UUID
};

struct HostMatch {
  enum class Kind {
    other,      // not of the preview domain: the platform's own hosts
    preview,    // exactly one preview
    malformed,  // at or below the preview domain, and nothing else may be served there
  };
  Kind kind = Kind::other;
  PreviewName name;
  std::string why;  // of malformed
};

// `host`: the request's Host field. `domain`: "preview.localhost", without a port. A port behind the host is accepted
// whatever it is: we may be reached through another one.
HostMatch match_preview_host(std::string_view host, std::string_view domain);
// Whether that would not be Kind::other.
bool is_of_preview_domain(std::string_view host, std::string_view domain);

// Plain decimal, 1 to 65535: no sign, no leading zero.
std::optional<std::uint16_t> parse_port(std::string_view text);
// A lower-case UUID or a signed token.
std::optional<PreviewName> parse_label(std::uint16_t port, std::string_view label);

struct PreviewPath {
  PreviewName name;
  std::string prefix;  // "/preview/<label>/<port>"
  std::string rest;    // starts with '/'; empty when the slash is missing
};
// nullopt: not of that form.
std::optional<PreviewPath> parse_preview_path(std::string_view path);

// --- what the API's endpoints answer with --------------------------------------------------------------------------
// `domain` with the port where it is not the scheme's own: "preview.localhost:3000".
std::string make_preview_url(std::string_view scheme, std::string_view domain, std::uint16_t port,
                             std::string_view label);
std::string new_preview_token();  // 32 of [a-z0-9_-]
std::string new_signed_token();   // 16 of [a-z0-9]
std::string new_ssh_token();      // 32 of [A-Za-z0-9]

constexpr std::int64_t kSignedSecondsDefault = 60;
// nullopt: the default. Errc::invalid_argument with the wire's message outside 1..86400.
Result<std::chrono::seconds> signed_url_time(std::optional<std::int64_t> seconds);

}  // namespace sebring::proxy
