#include "toolbox/utf8_pieces.h"

#include <algorithm>

#include "base/text.h"

namespace sebring::toolbox {

std::size_t unfinished_utf8(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;  // goes on a character; look for its first byte
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return byte <= 0xF4 && byte >= 0xC2 && length > back ? back : 0;
  }
  return 0;
}

std::string Utf8Pieces::add(std::string_view bytes) {
  std::string all = std::move(held_);
  all += bytes;
  const std::size_t keep = unfinished_utf8(all);
  held_ = all.substr(all.size() - keep);
  all.resize(all.size() - keep);
  return is_valid_utf8(all) ? all : to_valid_utf8(all);
}

std::string Utf8Pieces::finish() { return to_valid_utf8(std::exchange(held_, {})); }

}  // namespace sebring::toolbox
