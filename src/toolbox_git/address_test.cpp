#include "toolbox_git/address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>
#include <string>

namespace sebring::toolbox_git {
namespace {

Reach reach_of_text(const std::string& text) {
  sockaddr_storage storage{};
  if (text.contains(':')) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
    in6.sin6_family = AF_INET6;
    REQUIRE(inet_pton(AF_INET6, text.c_str(), &in6.sin6_addr) == 1);
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    REQUIRE(inet_pton(AF_INET, text.c_str(), &in.sin_addr) == 1);
  }
  return reach_of(reinterpret_cast<const sockaddr&>(storage));
}

}  // namespace

TEST_CASE("reach of addresses") {
  struct Row {
    const char* address;
    Reach reach;
  };
  const Row rows[] = {
      {"127.0.0.1", Reach::here},
      {"127.255.0.9", Reach::here},
      {"0.0.0.0", Reach::here},
      {"::1", Reach::here},
      {"::", Reach::here},
      {"::ffff:127.0.0.1", Reach::here},
      {"::127.0.0.1", Reach::here},
      {"64:ff9b::7f00:1", Reach::here},
      {"2002:7f00:1::", Reach::here},
      {"169.254.169.254", Reach::link},
      {"fe80::1", Reach::link},
      {"febf::1", Reach::link},
      {"::ffff:169.254.169.254", Reach::link},
      {"10.0.0.1", Reach::site},
      {"172.16.0.1", Reach::site},
      {"172.31.255.255", Reach::site},
      {"192.168.1.1", Reach::site},
      {"100.64.0.1", Reach::site},
      {"100.127.255.255", Reach::site},
      {"192.0.0.1", Reach::site},
      {"198.18.0.1", Reach::site},
      {"224.0.0.1", Reach::site},
      {"255.255.255.255", Reach::site},
      {"fd00::1", Reach::site},
      {"ff02::1", Reach::site},
      {"fec0::1", Reach::site},
      {"::ffff:10.1.2.3", Reach::site},
      {"1.1.1.1", Reach::world},
      {"172.15.0.1", Reach::world},
      {"172.32.0.1", Reach::world},
      {"100.63.255.255", Reach::world},
      {"100.128.0.0", Reach::world},
      {"223.255.255.255", Reach::world},
      {"2606:4700::1", Reach::world},
      {"::ffff:8.8.8.8", Reach::world},
  };
  for (const auto& row : rows) {
    CAPTURE(row.address);
    CHECK(reach_of_text(row.address) == row.reach);
  }
  sockaddr local{};
  local.sa_family = AF_UNIX;
  CHECK(reach_of(local) == Reach::here);
}

}  // namespace sebring::toolbox_git
