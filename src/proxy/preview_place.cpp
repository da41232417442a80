#include "proxy/preview_place.h"

#include <utility>

#include "base/text.h"
#include "proxy/authorize.h"
#include "proxy/headers.h"

namespace sebring::proxy {
namespace {

// "http://localhost:3000/x" -> "/x" for this port; nullopt for any other place.
std::optional<std::string> local_part(std::string_view location, std::uint16_t port) {
  for (std::string_view scheme : {"http://", "https://"}) {
    for (std::string_view host : {"localhost", "127.0.0.1", "0.0.0.0", "[::1]"}) {
      const std::string start = std::string(scheme) + std::string(host) + ":" + std::to_string(port);
      if (!starts_with_ignore_case(location, start)) continue;
      const std::string_view rest = location.substr(start.size());
      if (rest.empty()) return "/";
      if (rest.front() == '/') return std::string(rest);
      if (rest.front() == '?' || rest.front() == '#') return "/" + std::string(rest);
    }
  }
  return std::nullopt;
}

// By path the visitor's browser sends the platform's own cookies too. Those of a sandbox carry this prefix there, and
// nothing without it is handed on.
constexpr std::string_view kPathCookiePrefix = "pv_";

void keep_path_cookies(net::Headers& headers) {
  std::string kept;
  for (const net::Header& header : headers) {
    if (!equals_ignore_case(header.name, "cookie")) continue;
    for (std::string_view pair : split(header.value, ';')) {
      pair = trim(pair);
      if (!pair.starts_with(kPathCookiePrefix)) continue;
      if (!kept.empty()) kept += "; ";
      kept += pair.substr(kPathCookiePrefix.size());
    }
  }
  headers.remove("Cookie");
  if (!kept.empty()) headers.add("Cookie", std::move(kept));
}

std::string local_host(const PreviewPlace& place) { return "localhost:" + std::to_string(place.name.port); }

// Not text/plain: scripts that name no type send that.
bool is_form(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  return equals_ignore_case(type, "application/x-www-form-urlencoded") ||
         equals_ignore_case(type, "multipart/form-data");
}

void rewrite_location(net::Headers& headers, std::string_view name, const PreviewPlace& place) {
  auto found = headers.find(name);
  if (!found) return;
  const std::string value(*found);
  if (auto local = local_part(value, place.name.port)) {
    headers.set(std::string(name), place.prefix + *local);
  } else if (place.by_path() && value.starts_with('/') && !value.starts_with("//") &&
             !value.starts_with(place.prefix + "/")) {
    headers.set(std::string(name), place.prefix + value);
  }
}

// "cookies" are those of all hosts under the registered domain: other previews, often the platform.
void confine_clearing(net::Headers& headers) {
  if (!headers.find("Clear-Site-Data")) return;
  std::string kept;
  for (const net::Header& header : headers) {
    if (!equals_ignore_case(header.name, "clear-site-data")) continue;
    for (std::string_view kind : split(header.value, ',')) {
      kind = trim(kind);
      if (kind == "\"*\"") kind = R"("cache", "storage")";
      if (kind.empty() || kind == "\"cookies\"") continue;
      if (!kept.empty()) kept += ", ";
      kept += kind;
    }
  }
  headers.remove("Clear-Site-Data");
  if (!kept.empty()) headers.add("Clear-Site-Data", std::move(kept));
}

}  // namespace

std::string PreviewPlace::cookie_name() const { return std::string(kCookiePrefix) + name.label; }

bool is_protected_port(std::uint16_t port) {
  constexpr std::uint16_t kSshPort = 22220;
  constexpr std::uint16_t kRecordingPort = 33333;
  return port == kToolboxPort || port == kTerminalPort || port == kSshPort || port == kRecordingPort;
}

void to_server(net::RequestHead& head, const PreviewPlace& place, std::string path, bool remove_authorization) {
  head.headers = end_to_end(std::move(head.headers));
  bool first = true;
  head.headers.remove_if([&](const net::Header& header) {
    if (starts_with_ignore_case(header.name, "x-daytona-")) return true;
    if (!equals_ignore_case(header.name, "authorization")) return false;
    // Only the first was asked about.
    const bool foreign = std::exchange(first, false) || judge_bearer(bearer_token(header.value)) == Bearer::foreign;
    return remove_authorization || !foreign;
  });
  if (place.by_path()) {
    keep_path_cookies(head.headers);
  } else {
    remove_our_cookies(head.headers);
  }
  head.headers.set("Host", local_host(place));
  head.query = remove_query_key(head.query, kQueryKey);
  head.path = std::move(path);
  head.target = head.path;
  if (!head.query.empty()) head.target += "?" + head.query;
}

void name_own_page(net::Headers& headers, const PreviewPlace& place, bool upgrade) {
  if (headers.find("Origin").value_or("") != place.origin()) return;
  if (upgrade) {
    headers.set("Origin", "http://" + local_host(place));
    headers.remove("X-Forwarded-Host");
  } else if (!is_form(headers.find("Content-Type").value_or(""))) {
    headers.remove("Origin");
  }
}

std::optional<std::string> confine_cookie(std::string_view value, const PreviewPlace& place) {
  const auto parts = split(value, ';');
  const std::string_view name = trim(parts[0].substr(0, parts[0].find('=')));
  // One without a name comes back as its value alone, which may read like a cookie of ours.
  if (name.empty() || is_our_cookie(name)) return std::nullopt;
  std::string confined(trim(parts[0]));
  if (place.by_path()) confined.insert(0, kPathCookiePrefix);
  std::string path = place.prefix + "/";
  bool has_path = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = trim(parts[i]);
    const std::string_view key = trim(part.substr(0, part.find('=')));
    if (equals_ignore_case(key, "domain") || part.empty()) continue;
    if (equals_ignore_case(key, "path")) {
      const std::size_t equals = part.find('=');
      const std::string_view wanted = equals == std::string_view::npos ? "" : trim(part.substr(equals + 1));
      if (wanted.starts_with('/')) path = place.prefix + std::string(wanted);
      has_path = true;
      continue;
    }
    confined += "; ";
    confined += part;
  }
  if (has_path || place.by_path()) confined += "; Path=" + path;
  return confined;
}

void to_visitor(net::ResponseHead& answer, const PreviewPlace& place) {
  confine_clearing(answer.headers);
  rewrite_location(answer.headers, "Location", place);
  rewrite_location(answer.headers, "Content-Location", place);
  answer.headers.remove("Alt-Svc");  // would lead the visitor, cookies and all, around this proxy
  if (answer.headers.find("Set-Cookie")) {
    net::Headers kept;
    for (const net::Header& header : answer.headers) {
      if (!equals_ignore_case(header.name, "set-cookie")) {
        kept.add(header.name, header.value);
      } else if (auto confined = confine_cookie(header.value, place)) {
        kept.add(header.name, std::move(*confined));
      }
    }
    answer.headers = std::move(kept);
  }
  if (!place.by_path()) return;
  // The platform's pages live on this origin: what a sandbox serves gets an opaque one of its own.
  answer.headers.add("Content-Security-Policy",
                     "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads");
  for (std::string_view name : {"Clear-Site-Data", "Service-Worker-Allowed", "Strict-Transport-Security", "NEL",
                                "Report-To", "Reporting-Endpoints", "WWW-Authenticate"}) {
    answer.headers.remove(name);
  }
}

bool is_confined(std::string_view name) {
  return equals_ignore_case(name, "set-cookie") || equals_ignore_case(name, "location") ||
         equals_ignore_case(name, "content-location") || equals_ignore_case(name, "clear-site-data") ||
         equals_ignore_case(name, "alt-svc");
}

bool is_local_path(std::string_view path) {
  if (!path.starts_with('/') || path.size() > 4096) return false;
  if (path.size() > 1 && (path[1] == '/' || path[1] == '\\')) return false;
  for (char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F || c == '\\') return false;
  }
  return true;
}

}  // namespace sebring::proxy
