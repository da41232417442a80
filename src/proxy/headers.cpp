#include "proxy/headers.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sebring::proxy {
namespace {

constexpr std::array<std::string_view, 9> kHopByHop = {
    "connection", "keep-alive",        "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
    "trailer",    "transfer-encoding", "upgrade"};
constexpr std::array<std::string_view, 8> kForwarded = {"x-forwarded-for",  "x-forwarded-host",   "x-forwarded-proto",
                                                        "x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix",
                                                        "forwarded",        "x-real-ip"};

// Every request asks this for each of its fields: lengths are compared here, letters elsewhere.
bool equals_any(std::string_view name, auto const& names) {
  return std::ranges::any_of(
      names, [&](std::string_view other) { return name.size() == other.size() && equals_ignore_case(name, other); });
}

std::vector<std::string> named_in_connection(const net::Headers& headers) {
  constexpr std::string_view kName = "connection";
  std::vector<std::string> names;
  for (const net::Header& header : headers) {
    if (header.name.size() != kName.size() || !equals_ignore_case(header.name, kName)) continue;
    for (std::string_view part : split(header.value, ',')) {
      // Content-Length and Host are never options of a connection: naming them must not make us lose them.
      const std::string_view name = trim(part);
      if (equals_ignore_case(name, "keep-alive") || equals_ignore_case(name, "close")) continue;  // hop-by-hop anyway
      if (!name.empty() && !equals_ignore_case(name, "host") && !equals_ignore_case(name, "content-length")) {
        names.emplace_back(name);
      }
    }
  }
  return names;
}

}  // namespace

bool is_hop_by_hop(std::string_view name) { return equals_any(name, kHopByHop); }
bool is_forwarded(std::string_view name) { return equals_any(name, kForwarded); }

net::Headers end_to_end(net::Headers headers) {
  const std::vector<std::string> named = named_in_connection(headers);
  headers.remove_if(
      [&](const net::Header& header) { return is_hop_by_hop(header.name) || equals_any(header.name, named); });
  return headers;
}

net::Headers announced_trailers(const net::Headers& trailers, std::string_view names) {
  constexpr std::array<std::string_view, 13> kOfTheHead = {
      "age",      "authorization", "cache-control", "connection", "date", "expires", "host",
      "location", "pragma",        "retry-after",   "set-cookie", "vary", "warning"};
  net::Headers kept;
  for (const net::Header& field : trailers) {
    if (equals_any(field.name, kHopByHop) || equals_any(field.name, kOfTheHead)) continue;
    if (starts_with_ignore_case(field.name, "content-") || starts_with_ignore_case(field.name, "access-control-"))
      continue;
    const auto parts = split(names, ',');
    if (std::ranges::any_of(parts, [&](auto part) { return equals_ignore_case(trim(part), field.name); })) {
      kept.add(field.name, field.value);
    }
  }
  return kept;
}

std::optional<std::string> wanted_upgrade(const net::RequestHead& request) {
  if (request.method != "GET" || request.version_minor == 0) return std::nullopt;
  if (request.headers.count("Upgrade") != 1 || !request.headers.has_token("Connection", "upgrade")) return std::nullopt;
  const std::string value(trim(*request.headers.find("Upgrade")));
  if (value.empty() || value.find_first_of(", ") != std::string::npos) return std::nullopt;
  if (starts_with_ignore_case(value, "h2c") || starts_with_ignore_case(value, "http")) return std::nullopt;
  if (starts_with_ignore_case(value, "tls")) return std::nullopt;
  return value;
}

std::optional<std::string> find_cookie(const net::Headers& headers, std::string_view name) {
  for (const net::Header& header : headers) {
    if (!equals_ignore_case(header.name, "cookie")) continue;
    for (std::string_view pair : split(header.value, ';')) {
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || trim(pair.substr(0, equals)) != name) continue;
      return std::string(trim(pair.substr(equals + 1)));
    }
  }
  return std::nullopt;
}

bool is_our_cookie(std::string_view name) {
  return starts_with_ignore_case(name, "daytona-sandbox-auth-") ||
         equals_ignore_case(name, "daytona-preview-page-accepted") || starts_with_ignore_case(name, "sebring-") ||
         starts_with_ignore_case(name, "sebring_") || starts_with_ignore_case(name, "__host-sebring-");
}

std::string without_our_cookies(std::string_view value) {
  std::string kept;
  for (std::string_view pair : split(value, ';')) {
    const std::string_view name = trim(pair.substr(0, pair.find('=')));
    if (is_our_cookie(name) || trim(pair).empty()) continue;
    if (!kept.empty()) kept += "; ";
    kept += trim(pair);
  }
  return kept;
}

void remove_our_cookies(net::Headers& headers) {
  if (!headers.find("Cookie")) return;
  net::Headers kept;
  for (const net::Header& header : headers) {
    if (!equals_ignore_case(header.name, "cookie")) {
      kept.add(header.name, header.value);
      continue;
    }
    if (const std::string value = without_our_cookies(header.value); !value.empty()) kept.add(header.name, value);
  }
  headers = std::move(kept);
}

std::string remove_query_key(std::string_view query, std::string_view name) {
  std::string kept;
  bool first = true;
  if (query.empty()) return kept;
  for (std::string_view pair : split(query, '&')) {
    const std::string_view key = pair.substr(0, pair.find('='));
    const auto decoded = percent_decode(key, true);
    if ((decoded ? std::string_view(*decoded) : key) == name) continue;
    if (!first) kept += '&';
    first = false;
    kept += pair;
  }
  return kept;
}

void set_forwarded(net::Headers& headers, const ClientSide& client) {
  if (!client.trusted) {
    headers.remove_if([](const net::Header& header) { return is_forwarded(header.name); });
  }
  if (!client.address.empty()) {
    if (auto before = headers.find("X-Forwarded-For")) {
      headers.set("X-Forwarded-For", std::string(*before) + ", " + client.address);
    } else {
      headers.add("X-Forwarded-For", client.address);
    }
  }
  if (!headers.find("X-Forwarded-Host") && !client.host.empty()) headers.set("X-Forwarded-Host", client.host);
  if (!headers.find("X-Forwarded-Proto")) headers.set("X-Forwarded-Proto", client.scheme);
}

std::string bearer_token(const net::Headers& headers) {
  return std::string(bearer_token(headers.find("Authorization").value_or("")));
}

std::string_view bearer_token(std::string_view authorization) {
  return starts_with_ignore_case(authorization, "bearer ") ? trim(authorization.substr(7)) : std::string_view{};
}

}  // namespace sebring::proxy
