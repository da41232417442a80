#include "base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/result.h"

namespace sebring {

namespace {
constexpr char kHex[] = "0123456789abcdef";
}

void fill_random(std::span<unsigned char> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t got = getrandom(bytes.data() + done, bytes.size() - done, 0);
    if (got < 0 && errno == EINTR) continue;
    SB_ASSERT(got > 0);
    done += static_cast<std::size_t>(got);
  }
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  fill_random({reinterpret_cast<unsigned char*>(raw.data()), raw.size()});
  std::string text;
  text.reserve(bytes * 2);
  for (char c : raw) {
    auto byte = static_cast<unsigned char>(c);
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::string random_text(std::size_t length, std::string_view alphabet) {
  SB_ASSERT(!alphabet.empty() && alphabet.size() <= 256);
  // Bytes at or above the largest multiple of the alphabet's size are thrown away, else its first letters come oftener.
  const std::size_t usable = 256 - 256 % alphabet.size();
  std::string text;
  while (text.size() < length) {
    unsigned char block[64];
    fill_random(block);
    for (unsigned char byte : block) {
      if (byte < usable && text.size() < length) text += alphabet[byte % alphabet.size()];
    }
  }
  return text;
}

std::string random_uuid() {
  unsigned char bytes[16];
  fill_random(bytes);
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);
  std::string text;
  text.reserve(36);
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[bytes[i] >> 4];
    text += kHex[bytes[i] & 15];
  }
  return text;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return false;
    } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
      return false;
    }
  }
  return true;
}

}  // namespace sebring
