#include "proxy/preview_host.h"

#include "base/random.h"
#include "base/text.h"

namespace sebring::proxy {
namespace {

constexpr std::string_view kTokenLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kTokenLength = 16;

bool ends_with_ignore_case(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && equals_ignore_case(text.substr(text.size() - end.size()), end);
}

struct HostParts {
  std::string_view name;   // without the port
  std::string_view plain;  // and without final dots: the same name to a resolver, another one to a browser's cookies
  bool bad_port = false;

  bool is_of(std::string_view domain) const {
    if (domain.empty() || !ends_with_ignore_case(plain, domain)) return false;
    return plain.size() == domain.size() || plain[plain.size() - domain.size() - 1] == '.';
  }
};

HostParts split_host(std::string_view host) {
  HostParts parts{.name = host};
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    parts.name = host.substr(0, colon);
    parts.bad_port = !parse_port(host.substr(colon + 1));
  }
  parts.plain = parts.name;
  while (parts.plain.ends_with('.')) parts.plain.remove_suffix(1);
  return parts;
}

bool has_upper(std::string_view text) {
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') return true;
  }
  return false;
}

}  // namespace

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return std::nullopt;
  std::uint32_t port = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

std::optional<PreviewName> parse_label(std::uint16_t port, std::string_view label) {
  if (is_uuid(label) && !has_upper(label)) return PreviewName{port, std::string(label), false};
  if (label.size() == kTokenLength && label.find_first_not_of(kTokenLetters) == std::string_view::npos) {
    return PreviewName{port, std::string(label), true};
  }
  return std::nullopt;
}

bool is_of_preview_domain(std::string_view host, std::string_view domain) { return split_host(host).is_of(domain); }

HostMatch match_preview_host(std::string_view host, std::string_view domain) {
  HostMatch match;
  const HostParts parts = split_host(host);
  if (!parts.is_of(domain)) return match;
  const auto [name, plain, bad_port] = parts;
  match.kind = HostMatch::Kind::malformed;
  const auto malformed = [&] {
    match.why = "the host must be <port>-<sandbox id or token>." + std::string(domain);
    return match;
  };
  if (plain.size() == domain.size() || plain.size() != name.size() || bad_port) return malformed();
  const std::string_view label = plain.substr(0, plain.size() - domain.size() - 1);
  const std::size_t dash = label.find('-');
  if (dash == std::string_view::npos || !name.ends_with(domain)) return malformed();
  const auto port = parse_port(label.substr(0, dash));
  if (!port) {
    match.why = "the port in the host must be a number from 1 to 65535";
    return match;
  }
  auto parsed = parse_label(*port, label.substr(dash + 1));
  if (!parsed) return malformed();
  match.kind = HostMatch::Kind::preview;
  match.name = std::move(*parsed);
  return match;
}

std::optional<PreviewPath> parse_preview_path(std::string_view path) {
  constexpr std::string_view kPrefix = "/preview/";
  if (!path.starts_with(kPrefix)) return std::nullopt;
  const std::size_t label_end = path.find('/', kPrefix.size());
  if (label_end == std::string_view::npos) return std::nullopt;
  const std::string_view label = path.substr(kPrefix.size(), label_end - kPrefix.size());
  std::size_t port_end = path.find('/', label_end + 1);
  if (port_end == std::string_view::npos) port_end = path.size();
  const auto port = parse_port(path.substr(label_end + 1, port_end - label_end - 1));
  if (!port) return std::nullopt;
  auto name = parse_label(*port, label);
  if (!name) return std::nullopt;
  return PreviewPath{std::move(*name), std::string(path.substr(0, port_end)), std::string(path.substr(port_end))};
}

std::string make_preview_url(std::string_view scheme, std::string_view domain, std::uint16_t port,
                             std::string_view label) {
  std::string url(scheme);
  url += "://";
  url += std::to_string(port);
  url += '-';
  url += label;
  url += '.';
  url += domain;
  return url;
}

std::string new_preview_token() { return random_text(32, "abcdefghijklmnopqrstuvwxyz0123456789_-"); }
std::string new_signed_token() { return random_text(kTokenLength, kTokenLetters); }
std::string new_ssh_token() {
  return random_text(32, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
}

Result<std::chrono::seconds> signed_url_time(std::optional<std::int64_t> seconds) {
  const std::int64_t value = seconds.value_or(kSignedSecondsDefault);
  if (value < 1 || value > 86'400) {
    return fail(Errc::invalid_argument, "expiresInSeconds must be between 1 second and 24 hours");
  }
  return std::chrono::seconds(value);
}

}  // namespace sebring::proxy
