#include "cli/url.h"

#include <doctest/doctest.h>

namespace sebring::cli {

TEST_CASE("parse_url") {
  struct Row {
    std::string_view text, host;
    int port;
    std::string_view base, again;
  } good[] = {
      {"http://localhost:3000/api", "localhost", 3000, "/api", "http://localhost:3000/api"},
      {"HTTPS://Box.Example.com/", "box.example.com", 443, "", "https://box.example.com"},
      {"http://[::1]:80/x/y//", "::1", 80, "/x/y", "http://[::1]/x/y"},
      {"https://h:80", "h", 80, "", "https://h:80"},
  };
  for (const Row& row : good) {
    CAPTURE(row.text);
    auto url = parse_url(row.text);
    REQUIRE(url);
    CHECK(url->host == row.host);
    CHECK(url->port == row.port);
    CHECK(url->base_path == row.base);
    CHECK(url->text() == row.again);
  }
  for (std::string_view bad : {"", "localhost:3000", "ftp://x", "http://", "http:///x", "http://:80", "http://h:0",
                               "http://h:65536", "http://h:+1", "http://h:", "http://[::1", "http://[::1]80",
                               "http://u@h", "http://h/x?y", "http://h/x#y", "http://h /x", "http://h/\r\nX: y"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_url(bad));
  }
}

}  // namespace sebring::cli
