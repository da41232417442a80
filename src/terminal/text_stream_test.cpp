#include "terminal/text_stream.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace {
using sebring::is_valid_utf8;
using sebring::terminal::TextStream;

TEST_CASE("text cut anywhere comes out whole") {
  const std::string text = "a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80z\xE6\xBC\xA2";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      TextStream stream;
      std::string out;
      for (std::string_view piece :
           {std::string_view(text).substr(0, first), std::string_view(text).substr(first, second - first),
            std::string_view(text).substr(second)}) {
        const std::string said = stream.add(piece);
        CHECK(is_valid_utf8(said));
        out += said;
      }
      CHECK(out == text);
    }
  }
}

TEST_CASE("what is no text becomes replacement characters, and never waits for ever") {
  for (std::string_view bad :
       {"\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\x80\x80\x80\x80", "\xE2\x82z"}) {
    TextStream stream;
    std::string out = stream.add(bad);
    out += stream.add("ok");
    CHECK(is_valid_utf8(out));
    CHECK(out.ends_with("ok"));
    CHECK(out.find("\xEF\xBF\xBD") != std::string::npos);
  }
}

}  // namespace
