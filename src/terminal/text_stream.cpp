#include "terminal/text_stream.h"

#include "base/text.h"

namespace sebring::terminal {
namespace {

// How many bytes at the end are the beginning of a character that may still be completed.
std::size_t begun_at_end(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 && byte <= 0xF4 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    return byte <= 0xF4 && length > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string TextStream::add(std::string_view bytes) {
  std::string all = std::move(begun_);
  all += bytes;
  const std::size_t begun = begun_at_end(all);
  begun_ = all.substr(all.size() - begun);
  all.resize(all.size() - begun);
  return is_valid_utf8(all) ? all : to_valid_utf8(all);
}

}  // namespace sebring::terminal
