#include "toolbox/utf8_pieces.h"

#include <doctest/doctest.h>

#include "base/text.h"

using namespace sebring;
using namespace sebring::toolbox;

TEST_CASE("text cut anywhere comes out whole") {
  const std::string_view rows[] = {"",
                                   "plain",
                                   "\xC3\xA9t\xC3\xA9",
                                   "\xE2\x82\xAC\xE2\x82\xAC",
                                   "\xF0\x9F\x98\x80x",
                                   "bad \xFF byte",
                                   "\xC3",
                                   "\xE2\x82",
                                   "\xF0\x9F\x98",
                                   "\x80\x80\x80\x80",
                                   "\xF5\x80\x80\x80",
                                   "\xC0\xAF",
                                   "a\xE2\x28\xA1"};
  for (std::string_view row : rows) {
    for (std::size_t step = 1; step <= std::max<std::size_t>(1, row.size()); ++step) {
      Utf8Pieces pieces;
      std::string text;
      for (std::size_t at = 0; at < row.size(); at += step) {
        const std::string piece = pieces.add(row.substr(at, step));
        CHECK(is_valid_utf8(piece));
        text += piece;
      }
      text += pieces.finish();
      CHECK(is_valid_utf8(text));
      if (is_valid_utf8(row)) CHECK(text == row);
    }
  }
}
