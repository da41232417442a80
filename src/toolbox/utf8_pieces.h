#pragma once
// Bytes that arrive in pieces, as valid UTF-8.
#include <string>
#include <string_view>

namespace sebring::toolbox {

// A character cut in two waits for its rest; what can not become one is U+FFFD.
class Utf8Pieces {
 public:
  std::string add(std::string_view bytes);
  std::string finish();

 private:
  std::string held_;  // at most three bytes
};

// How many bytes at the end may be the begin of a character: 0 to 3.
std::size_t unfinished_utf8(std::string_view bytes);

}  // namespace sebring::toolbox
