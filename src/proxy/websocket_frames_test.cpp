#include "proxy/websocket_frames.h"

#include <doctest/doctest.h>

namespace sebring::proxy {
namespace {

std::string frame(unsigned char first, std::size_t size, int form, bool masked = false) {
  std::string bytes(1, static_cast<char>(first));
  bytes += static_cast<char>((masked ? 0x80 : 0) | (form == 0 ? size : static_cast<std::size_t>(form)));
  for (int i = form == 127 ? 7 : form == 126 ? 1 : -1; i >= 0; --i) bytes += static_cast<char>(size >> (8 * i));
  if (masked) bytes += "mask";
  return bytes + std::string(size, 'x');
}

}  // namespace

TEST_CASE("the ends of frames are found, however the bytes come") {
  const std::string head = "HTTP/1.1 101 x\r\n\r\n";
  const std::string frames[] = {frame(0x81, 0, 0),          frame(0x82, 125, 0),      frame(0x01, 5, 126),
                                frame(0x80, 300, 126),      frame(0x82, 70'000, 127), frame(0x89, 3, 0, true),
                                frame(0x82, 200, 126, true)};
  for (std::size_t step : {1U, 2U, 3U, 7U, 1000U, 1'000'000U}) {
    CAPTURE(step);
    FrameBoundary boundary(head.size());
    CHECK_FALSE(boundary.between());
    auto pass = [&](const std::string& bytes) {
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        if (at > 0) CHECK_FALSE(boundary.between());
        boundary.passed(std::string_view(bytes).substr(at, step));
      }
      CHECK(boundary.between());
      CHECK_FALSE(boundary.closed());
    };
    pass(head);
    for (const std::string& one : frames) pass(one);
  }
}

TEST_CASE("a close frame is seen from its first byte") {
  FrameBoundary boundary;
  CHECK(boundary.between());
  boundary.passed("\x88");
  CHECK(boundary.closed());
  CHECK_FALSE(boundary.between());
}

TEST_CASE("a close frame") {
  CHECK(close_frame(1001, "gone") == std::string("\x88\x06\x03\xe9gone"));
  CHECK(close_frame(1008, "") == std::string("\x88\x02\x03\xf0"));
  CHECK(close_frame(1001, std::string(200, 'x')).size() == 127);
}

}  // namespace sebring::proxy
