#pragma once
// What a request head must look like before anything interprets it. Stricter than the standard allows servers to be:
// every form that two implementations have ever read differently is refused (RFC 9112 sections 2.2, 3, 5, 6, 11.2).
#include <optional>
#include <string>
#include <string_view>

namespace sebring::net {

// `head` goes from the first byte to the empty line, both CRLF included. nullopt: fine; else why not.
std::optional<std::string> find_head_fault(std::string_view head);

}  // namespace sebring::net
