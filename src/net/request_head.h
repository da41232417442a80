#pragma once
// Reads a request's head, once and strictly: every form that two implementations have ever read differently is refused
// (RFC 9112 sections 2.2, 3, 5, 6, 11.2).
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace sebring::net {

// Views into the bytes that were read.
struct RawHead {
  std::string_view method;
  std::string_view target;  // as sent
  int version_minor = 1;
  std::vector<Header> fields;
  bool has_body = false;  // by Content-Length above 0 or Transfer-Encoding
};

// `bytes` go from the first one to the empty line, both CRLF included. nullopt: `into` holds the head. Else why it is
// refused; `into` then holds some of it.
std::optional<std::string> read_request_head(std::string_view bytes, RawHead& into);
// The same as a head of its own; path and query are not yet set.
RequestHead own_head(const RawHead& raw);

// Whether it is a token, and whether it is free of control characters, as names and values of fields must be.
bool is_field_name(std::string_view text);
bool is_field_value(std::string_view text);

}  // namespace sebring::net
