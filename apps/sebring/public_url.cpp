#include "public_url.h"

#include <unistd.h>

namespace sebring {
namespace {

bool is_any(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

std::string machine_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && *name ? name : "localhost";
}

// What stands between "://" and the path.
std::string_view authority_of(std::string_view url) {
  const std::size_t start = url.find("://");
  if (start != std::string_view::npos) url.remove_prefix(start + 3);
  return url.substr(0, url.find('/'));
}

}  // namespace

std::string host_and_port(const config::HostPort& where) {
  const std::string host = where.host.find(':') == std::string::npos ? where.host : "[" + where.host + "]";
  return host + ":" + std::to_string(where.port);
}

std::string default_url(std::string_view scheme, const config::HostPort& where) {
  config::HostPort shown = where;
  if (is_any(where.host)) shown.host = machine_name();
  if (where.host == "127.0.0.1") shown.host = "localhost";
  return std::string(scheme) + "://" + host_and_port(shown);
}

std::string default_preview_domain(std::string_view public_url) {
  const std::string_view authority = authority_of(public_url);
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return "preview.localhost" + std::string(has_port ? authority.substr(colon) : "");
}

config::HostPort local_address(config::HostPort where) {
  if (where.host == "0.0.0.0") where.host = "127.0.0.1";
  if (where.host == "::") where.host = "::1";
  return where;
}

std::string host_of(std::string_view url) {
  const std::string_view authority = authority_of(url);
  if (authority.starts_with('[')) return std::string(authority.substr(1, authority.find(']') - 1));
  return std::string(authority.substr(0, authority.find(':')));
}

}  // namespace sebring
