#include "net/request_head.h"

#include <doctest/doctest.h>

using sebring::net::RawHead;
using sebring::net::read_request_head;

namespace {

std::optional<std::string> find_head_fault(std::string_view bytes) {
  RawHead into;
  return read_request_head(bytes, into);
}

}  // namespace

TEST_CASE("heads that are fine") {
  for (const char* head : {
           "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /a?b=c%20d HTTP/1.0\r\n\r\n",
           "POST /x HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\n",
           "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
           "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX-Tab: a\tb\r\n\r\n",
       }) {
    CAPTURE(head);
    CHECK_FALSE(find_head_fault(head).has_value());
  }
}

TEST_CASE("heads that two servers might read differently") {
  const std::string nul("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29);
  CHECK(find_head_fault(nul).has_value());
  for (const char* head : {
           "GET / HTTP/1.1\nHost: a\n\n",
           "GET / HTTP/1.1\r\nHost: a\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
           "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
           "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
           "GET / http/1.1\r\nHost: a\r\n\r\n",
           "GET /\r\nHost: a\r\n\r\n",
           "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\n\tX: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nNoColon\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX[]: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
       }) {
    CAPTURE(head);
    CHECK(find_head_fault(head).has_value());
  }
}

TEST_CASE("what is read") {
  RawHead into;
  REQUIRE_FALSE(read_request_head(
      "PUT /a%20b?c=d HTTP/1.0\r\nhost:\t a:80 \r\nX-Two: 1\r\nx-two:\r\nX-Two:  b\tc\t \r\n\r\n", into));
  CHECK(into.method == "PUT");
  CHECK(into.target == "/a%20b?c=d");
  CHECK(into.version_minor == 0);
  CHECK_FALSE(into.has_body);
  std::string fields;
  for (const auto& field : into.fields) fields.append(field.name).append("=").append(field.value).append(";");
  CHECK(fields == "host=a:80;X-Two=1;x-two=;X-Two=b\tc;");
}

TEST_CASE("whether a body follows") {
  struct Row {
    const char* field;
    bool body;
  };
  for (const Row& row : {Row{"", false},
                         {"Content-Length: 0\r\n", false},
                         {"Content-Length: 000\r\n", false},
                         {"Content-Length: 1\r\n", true},
                         {"content-length: 0010\r\n", true},
                         {"Transfer-Encoding: Chunked\r\n", true}}) {
    CAPTURE(row.field);
    RawHead into;
    REQUIRE_FALSE(read_request_head("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(row.field) + "\r\n", into));
    CHECK(into.has_body == row.body);
  }
}
