#pragma once
// Network links and addresses. Addresses are IPv4 in host byte order.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "os/netlink.h"

namespace sebring::os {

// Adds to `request`: `own`/32 on the link, with the route to `peer`/32 that comes with it.
void add_point_to_point_address(Netlink& request, int index, std::uint32_t own, std::uint32_t peer);
void add_link_up(Netlink& request, int index);
void add_default_route(Netlink& request, int index, std::uint32_t gateway);

struct VethSpec {
  std::string name;       // host side, up, with `host_address`
  int index;              // of the host side; chosen by the caller, so that no look-up is needed
  std::string peer_name;  // in the namespace of `peer_pid`, down, with index `peer_index`
  int peer_index;
  pid_t peer_pid;
  std::uint32_t host_address;
  std::uint32_t peer_address;
  std::uint32_t mtu;
};
// Both ends, the host's address and route. The host's end has no IPv6.
Result<void> make_veth(Netlink& route, const VethSpec& spec);

// Slow (tens of milliseconds, RCU): only for leftovers. A missing link is fine.
Result<void> delete_link(Netlink& route, const std::string& name);
// 0 when there is none.
int link_index(const std::string& name);

// Interface of the IPv4 default route and its MTU.
struct DefaultRoute {
  std::string interface;
  std::uint32_t mtu = 1500;
};
std::optional<DefaultRoute> default_route();

std::string address_text(std::uint32_t address);

}  // namespace sebring::os
