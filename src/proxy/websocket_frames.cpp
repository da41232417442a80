#include "proxy/websocket_frames.h"

#include <algorithm>

namespace sebring::proxy {
namespace {
constexpr unsigned char kOpcode = 0x0F, kCloses = 8, kFinal = 0x80, kMasked = 0x80, kLength = 0x7F;
constexpr std::size_t kReasonBytesMax = 123;
}  // namespace

// Two bytes, then what they say: 2 or 8 of the length, 4 of the mask, which servers do not use.
std::size_t FrameBoundary::head_bytes() const {
  if (have_ < 2) return 2;
  const unsigned length = head_[1] & kLength;
  return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + ((head_[1] & kMasked) ? 4 : 0);
}

std::uint64_t FrameBoundary::payload_bytes() const {
  const unsigned length = head_[1] & kLength;
  if (length < 126) return length;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < (length == 126 ? 2U : 8U); ++i) bytes = bytes << 8 | head_[2 + i];
  return bytes;
}

void FrameBoundary::passed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const auto step = std::min<std::uint64_t>(skip_, bytes.size());
      skip_ -= step;
      bytes.remove_prefix(static_cast<std::size_t>(step));
      continue;
    }
    head_[have_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if ((head_[0] & kOpcode) == kCloses) closed_ = true;
    if (have_ < head_bytes()) continue;
    skip_ = payload_bytes();
    have_ = 0;
  }
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
  reason = reason.substr(0, kReasonBytesMax);
  std::string frame;
  frame += static_cast<char>(kFinal | kCloses);
  frame += static_cast<char>(2 + reason.size());
  frame += static_cast<char>(code >> 8);
  frame += static_cast<char>(code & 0xFF);
  return frame.append(reason);
}

}  // namespace sebring::proxy
