#pragma once
// One preview as its visitor sees it, and what that means for the heads that pass. Pure functions.
#include "net/http.h"
#include "proxy/preview_host.h"

namespace sebring::proxy {

struct PreviewPlace {
  PreviewName name;
  std::string scheme;  // as the visitor sees it
  std::string host;    // as the visitor sent it, with its port
  std::string prefix;  // "" by host; "/preview/<label>/<port>" by path: then the platform's own origin is shared

  std::string origin() const { return scheme + "://" + host; }
  bool by_path() const { return !prefix.empty(); }
  bool secure() const { return scheme == "https"; }
  // What a cookie of ours is bound to.
  std::string audience() const { return host + prefix; }
  std::string cookie_name() const;
  std::string cookie_path() const { return prefix.empty() ? "/" : prefix + "/"; }
};

// Ports of the platform's own services in a sandbox. They need a credential even in a public one.
bool is_protected_port(std::uint16_t port);
constexpr std::uint16_t kToolboxPort = 2280;
constexpr std::uint16_t kTerminalPort = 22222;

// The request as the sandbox's server gets it: addressed to localhost:<port>, without our headers, cookies and query
// key. Its target is set from `path` and the request's query.
void to_server(net::RequestHead& head, const PreviewPlace& place, std::string path, bool remove_authorization);

// Lets servers take what a preview's own page asks for what it is, after the forwarded headers are set. Some compare
// Origin with Host, which says localhost, others with X-Forwarded-Host.
// - An upgrade comes from localhost throughout: servers that want an Origin there compare it with one of the two.
// - Other requests come without one, which is as good as one's own, but for forms: frameworks that insist on an Origin
//   there are told their public name.
void name_own_page(net::Headers& headers, const PreviewPlace& place, bool upgrade);

// The answer as the visitor gets it: redirects to localhost come back to the preview, cookies stay on this host,
// nothing may speak for the platform. By path also: no rights of the platform's origin.
void to_visitor(net::ResponseHead& answer, const PreviewPlace& place);

// Whether to_visitor() may change or remove this field of an answer, where the preview is by host name.
bool is_confined(std::string_view name);

// Value of one Set-Cookie as it may pass; nullopt: not at all.
std::optional<std::string> confine_cookie(std::string_view value, const PreviewPlace& place);

// A local path to go to, as a query names it: starts with one '/', nothing a browser reads as another host.
bool is_local_path(std::string_view path);

}  // namespace sebring::proxy
