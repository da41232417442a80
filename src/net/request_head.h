#pragma once
// Reads a request's head, once and strictly: every form that two implementations have ever read differently is refused
// (RFC 9112 sections 2.2, 3, 5, 6, 11.2).
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace sebring::net {

struct ReadHead {
  RequestHead head;
  bool has_body = false;  // by Content-Length above 0 or Transfer-Encoding
};

// `bytes` go from the first one to the empty line, both CRLF included. nullopt: `into` holds the head, its target as
// sent, path and query not yet set. Else why it is refused; `into` then holds some of it.
std::optional<std::string> read_request_head(std::string_view bytes, ReadHead& into);

}  // namespace sebring::net
