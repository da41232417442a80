#pragma once
// Bytes that come in any pieces, made into pieces of valid UTF-8: what a WebSocket's text messages must be.
#include <string>
#include <string_view>

namespace sebring::terminal {

class TextStream {
 public:
  // What can be said of `bytes` so far. The beginning of a character waits for its rest; what is none becomes U+FFFD.
  std::string add(std::string_view bytes);

 private:
  std::string begun_;
};

}  // namespace sebring::terminal
