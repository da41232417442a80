#pragma once
// Where the frames of a WebSocket end, seen from beside it: whoever only carries its bytes may add a frame of its own
// between two others.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sebring::proxy {

class FrameBoundary {
 public:
  // `before`: bytes that come before the first frame.
  explicit FrameBoundary(std::uint64_t before = 0) : skip_(before) {}

  // What was handed on, in order and without gaps.
  void passed(std::string_view bytes);
  // Nothing has begun that has not ended.
  bool between() const { return skip_ == 0 && have_ == 0; }
  // A close frame went by, or has begun to: nothing may follow it.
  bool closed() const { return closed_; }

 private:
  std::size_t head_bytes() const;
  std::uint64_t payload_bytes() const;

  std::uint64_t skip_;  // of the payload, or of what came before
  unsigned char head_[14]{};
  std::size_t have_ = 0;  // of the head
  bool closed_ = false;
};

// A close frame as a server sends it. `reason`: UTF-8, at most 123 bytes.
std::string close_frame(std::uint16_t code, std::string_view reason);

}  // namespace sebring::proxy
