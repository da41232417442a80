#pragma once
// Who connects: how many connections one address may have, and when one counts as gone.
#include <functional>
#include <string>

#include "net/open_counts.h"

namespace sebring::net {

// What counts as one peer: an IPv4 address, or an IPv6 network of 64 bits, of which everybody has a whole one.
std::string peer_network(const std::string& address);

// So that one peer can not take all connections of a listener.
struct PeerLimit {
  std::size_t each_max = 2'500;  // a quarter of what a listener takes
  // Proxies, whose connections are other people's: not counted. Empty: none is one.
  std::function<bool(const std::string& address)> is_proxy;

  bool counts(const std::string& address) const { return !address.empty() && !(is_proxy && is_proxy(address)); }
};

// For a listening TCP socket, whose connections inherit it: a peer that has vanished, or that takes nothing of what it
// was sent, loses its connection after some minutes. Without that a tunnel of a lost laptop keeps its sandbox awake.
void give_up_vanished(int listening);

}  // namespace sebring::net
