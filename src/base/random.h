#pragma once
// Unpredictable bytes and the ids made of them. All from getrandom(2); a failure ends the process.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sebring {

void fill_random(std::span<unsigned char> bytes);
// Lower-case hex of `bytes` random bytes.
std::string random_hex(std::size_t bytes);
// `length` characters drawn evenly from `alphabet` (at most 256 characters).
std::string random_text(std::size_t length, std::string_view alphabet);
// RFC 9562 version 4, lower case, with dashes.
std::string random_uuid();
// Exactly 8-4-4-4-12 hex digits, any case.
bool is_uuid(std::string_view text);

}  // namespace sebring
