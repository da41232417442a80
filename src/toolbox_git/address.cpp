#include "toolbox_git/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace sebring::toolbox_git {
namespace {

struct Block {
  std::uint32_t network;
  int bits;
  Reach reach;
};

// Special-purpose registry of IPv4 (RFC 6890 and its additions); the first match counts.
constexpr Block kBlocks[] = {
    {0x7f000000, 8, Reach::here},  {0x00000000, 8, Reach::here},  {0xa9fe0000, 16, Reach::link},
    {0x0a000000, 8, Reach::site},  {0xac100000, 12, Reach::site}, {0xc0a80000, 16, Reach::site},
    {0x64400000, 10, Reach::site}, {0xc0000000, 24, Reach::site}, {0xc0000200, 24, Reach::site},
    {0xc6120000, 15, Reach::site}, {0xc6336400, 24, Reach::site}, {0xcb007100, 24, Reach::site},
    {0xe0000000, 3, Reach::site},
};

Reach reach_of_v4(std::uint32_t address) {
  for (const auto& block : kBlocks)
    if ((address ^ block.network) >> (32 - block.bits) == 0) return block.reach;
  return Reach::world;
}

std::uint32_t v4_at(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

bool starts(const std::uint8_t* bytes, std::initializer_list<std::uint8_t> prefix) {
  return std::memcmp(bytes, prefix.begin(), prefix.size()) == 0;
}

Reach reach_of_v6(const std::uint8_t* bytes) {
  if (starts(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return reach_of_v4(v4_at(bytes + 12));  // mapped
  if (starts(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
    const auto low = v4_at(bytes + 12);
    return low <= 1 ? Reach::here : reach_of_v4(low);  // ::, ::1, and the old compatible form
  }
  if (starts(bytes, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return reach_of_v4(v4_at(bytes + 12));  // NAT64
  if (starts(bytes, {0x20, 0x02})) return reach_of_v4(v4_at(bytes + 2));                                       // 6to4
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return Reach::link;
  return (bytes[0] & 0xe0) == 0x20 ? Reach::world : Reach::site;  // 2000::/3 is all of the global unicast space
}

}  // namespace

Reach reach_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    return reach_of_v4(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, &address, sizeof in6);
    return reach_of_v6(in6.sin6_addr.s6_addr);
  }
  return Reach::here;
}

}  // namespace sebring::toolbox_git
