#include "net/peers.h"

#include <doctest/doctest.h>

using namespace sebring;

TEST_CASE("what counts as one peer") {
  struct Row {
    const char *address, *network;
  } const rows[] = {
      {"192.0.2.7", "192.0.2.7"},
      {"::ffff:192.0.2.7", "192.0.2.7"},
      {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
      {"2001:db8:1:2::", "2001:db8:1:2::"},
      {"2001:db8:1:3::1", "2001:db8:1:3::"},
      {"::1", "::"},
      {"", ""},
      {"no address", "no address"},
  };
  for (const Row& row : rows) CHECK(net::peer_network(row.address) == row.network);
}

TEST_CASE("each has a limit of its own") {
  net::OpenCounts counts(2);
  auto first = counts.hold("a");
  {
    const auto second = counts.hold("a");
    CHECK(first);
    CHECK(second);
    CHECK_FALSE(counts.hold("a"));
    CHECK(counts.hold("b"));
  }
  CHECK(counts.hold("a"));
}

TEST_CASE("proxies and Unix sockets are not counted") {
  const net::PeerLimit limit{.is_proxy = [](const std::string& address) { return address == "10.0.0.1"; }};
  CHECK(limit.counts("10.0.0.2"));
  CHECK_FALSE(limit.counts("10.0.0.1"));
  CHECK_FALSE(limit.counts(""));
}
