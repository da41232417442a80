#include "net/peers.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>

namespace sebring::net {
namespace {

constexpr int kProbeAfterSeconds = 60;
constexpr int kProbeEverySeconds = 15;
// Also what a client may let an answer lie. nginx waits one minute; a browser that pauses a film asks again.
constexpr unsigned kGiveUpMs = 300'000;

void set(int fd, int level, int name, int value) {
  (void)::setsockopt(fd, level, name, &value, sizeof value);  // a Unix socket knows none of them
}

}  // namespace

std::string peer_network(const std::string& address) {
  boost::system::error_code code;
  const auto parsed = boost::asio::ip::make_address(address, code);
  if (code || parsed.is_v4()) return address;
  auto bytes = parsed.to_v6().to_bytes();
  if (parsed.to_v6().is_v4_mapped())
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, parsed.to_v6()).to_string();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return boost::asio::ip::address_v6(bytes).to_string();
}

void give_up_vanished(int listening) {
  set(listening, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(listening, IPPROTO_TCP, TCP_KEEPIDLE, kProbeAfterSeconds);
  set(listening, IPPROTO_TCP, TCP_KEEPINTVL, kProbeEverySeconds);
  set(listening, IPPROTO_TCP, TCP_USER_TIMEOUT, kGiveUpMs);
}

}  // namespace sebring::net
