#include "os/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <cerrno>

#include "base/text.h"
#include "os/file.h"

namespace sebring::os {

void add_point_to_point_address(Netlink& request, int index, std::uint32_t own, std::uint32_t peer) {
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = 32;
  body.ifa_index = static_cast<unsigned>(index);
  request.message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, body);
  request.attribute(IFA_LOCAL, htonl(own));
  request.attribute(IFA_ADDRESS, htonl(peer));
}

void add_link_up(Netlink& request, int index) {
  ifinfomsg body{};
  body.ifi_index = index;
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  request.message(RTM_NEWLINK, NLM_F_ACK, body);
}

void add_default_route(Netlink& request, int index, std::uint32_t gateway) {
  rtmsg body{};
  body.rtm_family = AF_INET;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_BOOT;
  body.rtm_type = RTN_UNICAST;
  request.message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK, body);
  request.attribute(RTA_GATEWAY, htonl(gateway));
  request.attribute(RTA_OIF, index);
}

namespace {

void add_queues(Netlink& request, std::uint32_t mtu) {
  std::uint32_t one = 1;  // else one queue per possible CPU, each with its own memory
  request.attribute(IFLA_NUM_TX_QUEUES, one);
  request.attribute(IFLA_NUM_RX_QUEUES, one);
  request.attribute(IFLA_MTU, mtu);
}

}  // namespace

Result<void> make_veth(Netlink& route, const VethSpec& spec) {
  ifinfomsg host{};
  host.ifi_index = spec.index;
  ifinfomsg peer{};  // IFF_UP for the peer here is ENOTCONN
  peer.ifi_index = spec.peer_index;
  route.message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, host);
  route.attribute_text(IFLA_IFNAME, spec.name);
  add_queues(route, spec.mtu);
  std::size_t info = route.begin_nest(IFLA_LINKINFO);
  route.attribute(IFLA_INFO_KIND, "veth", 4);
  std::size_t data = route.begin_nest(IFLA_INFO_DATA);
  std::size_t other = route.begin_nest(VETH_INFO_PEER);
  route.raw(&peer, sizeof peer);
  route.attribute_text(IFLA_IFNAME, spec.peer_name);
  route.attribute(IFLA_NET_NS_PID, static_cast<std::uint32_t>(spec.peer_pid));
  add_queues(route, spec.mtu);
  route.end_nest(other);
  route.end_nest(data);
  route.end_nest(info);
  add_point_to_point_address(route, spec.index, spec.host_address, spec.peer_address);
  SB_CHECK(route.run("make link " + spec.name));
  // Before it is up: the host wants no address of its own there, and each would lengthen the tables that all changes of
  // links walk through. Without IPv6 in the kernel there is no such file.
  (void)write_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/" + spec.name + "/disable_ipv6", "1");
  add_link_up(route, spec.index);
  return route.run("set link " + spec.name + " up");
}

Result<void> delete_link(Netlink& route, const std::string& name) {
  ifinfomsg body{};
  route.message(RTM_DELLINK, NLM_F_ACK, body);
  route.attribute_text(IFLA_IFNAME, name);
  auto deleted = route.run("delete link " + name);
  if (!deleted && deleted.error().os_errno() != ENODEV) return deleted;
  return {};
}

int link_index(const std::string& name) { return static_cast<int>(::if_nametoindex(name.c_str())); }

std::optional<DefaultRoute> default_route() {
  auto table = read_at(AT_FDCWD, "/proc/net/route");
  if (!table) return std::nullopt;
  for (auto line : split(*table, '\n')) {
    auto fields = split(line, '\t');
    if (fields.size() < 8 || fields[1] != "00000000" || fields[7] != "00000000") continue;
    DefaultRoute route{.interface = std::string(fields[0])};
    auto mtu = read_at(AT_FDCWD, "/sys/class/net/" + route.interface + "/mtu", 32);
    if (auto number = mtu ? parse_integer(trim(*mtu)) : std::nullopt; number && *number >= 576 && *number < 65536)
      route.mtu = static_cast<std::uint32_t>(*number);
    return route;
  }
  return std::nullopt;
}

std::string address_text(std::uint32_t address) {
  return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
         std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

}  // namespace sebring::os
