#pragma once
// Accepts SSH connections and gives each its thread.
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/dial.h"
#include "proxy/toolbox_proxy.h"
#include "ssh/throttle.h"

namespace sebring::ssh {

struct GatewayOptions {
  std::string key_directory;  // host keys live there, made when missing; only this process may read it
  std::size_t sessions_max = 500;
  ThrottleLimits throttle;
};

class Gateway {
 public:
  virtual ~Gateway() = default;
  // `address` a literal; port 0 picks one. Returns the port. Once.
  virtual Result<std::uint16_t> listen(const std::string& address, std::uint16_t port) = 0;
  // Takes over a listening TCP socket. Once, instead of listen().
  virtual Result<void> listen_fd(UniqueFd listening) = 0;
  // Accepts no more, ends all sessions. On the event loop, which goes on meanwhile; the destructor waits for what is
  // left of the threads.
  virtual boost::asio::awaitable<void> stop(std::chrono::milliseconds grace) = 0;
  // "ssh-ed25519 AAAA..." of this server, for GET /config and known_hosts.
  virtual const std::string& public_key() const = 0;
  virtual std::size_t sessions() const = 0;
};

// The same before there is a gateway; makes the keys when they are missing.
Result<std::string> host_public_key(const std::string& key_directory);

// `executor`: the event loop's, on which `shared` and `dialer` live; they outlive the gateway.
Result<std::unique_ptr<Gateway>> make_gateway(boost::asio::any_io_executor executor, proxy::Shared& shared,
                                              proxy::Dialer& dialer, GatewayOptions options);

}  // namespace sebring::ssh
