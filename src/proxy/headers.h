#pragma once
// What may and may not pass from one hop to the next, as pure functions over heads.
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace sebring::proxy {

// Without Connection, the fields it names, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade, Proxy-*. A forwarded
// message is written anew from what is left; its framing is decided here, not by the sender.
net::Headers end_to_end(net::Headers headers);

// Fields of those that end_to_end() leaves out whatever Connection names.
bool is_hop_by_hop(std::string_view name);
// Those that only a trusted peer may send, see set_forwarded().
bool is_forwarded(std::string_view name);

// Of an answer's trailers those that its Trailer header `names`, and that can be told after the body without changing
// what the head said: nothing about framing, content, caching, cookies, places or credentials.
net::Headers announced_trailers(const net::Headers& trailers, std::string_view names);

// The protocol that the client asks to change to, when it may: GET with Connection: upgrade and one Upgrade value that
// is no HTTP version (h2c would open a tunnel past this proxy's checks). nullopt: an ordinary request.
std::optional<std::string> wanted_upgrade(const net::RequestHead& request);

// Value of one cookie, the first of that name. nullopt without one.
std::optional<std::string> find_cookie(const net::Headers& headers, std::string_view name);

// Names of our own cookies; whatever a sandbox or a visitor sends under them is not handed on.
bool is_our_cookie(std::string_view name);
// A Cookie field's value without ours; what is left keeps its bytes. Empty: nothing is left.
std::string without_our_cookies(std::string_view value);
// The same for all Cookie headers.
void remove_our_cookies(net::Headers& headers);

// `query` without the pairs of that name (compared after decoding), the others untouched.
std::string remove_query_key(std::string_view query, std::string_view name);

// Who the client is to the one behind us.
struct ClientSide {
  std::string address;   // of the client; "" when unknown (Unix socket)
  std::string scheme;    // "http" or "https", as the client sees it
  std::string host;      // Host as the client sent it
  bool trusted = false;  // the peer is a configured proxy (or owns the sandbox): its X-Forwarded-* count
};
// Sets X-Forwarded-For, -Host, -Proto; without `trusted` what the client sent of them (and Forwarded, X-Real-IP)
// is replaced.
void set_forwarded(net::Headers& headers, const ClientSide& client);

// Bearer token of Authorization; "" without one.
std::string bearer_token(const net::Headers& headers);
std::string_view bearer_token(std::string_view authorization);

}  // namespace sebring::proxy
