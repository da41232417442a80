#pragma once
// TCP connections into a sandbox's own network: the runner makes the socket there and hands it over.
#include <memory>
#include <string>

#include "net/stream.h"

namespace sebring::proxy {

namespace asio = net::asio;

class Dialer {
 public:
  virtual ~Dialer() = default;
  // Connected to the sandbox's 127.0.0.1, then ::1, at that port. Errc::unavailable: nothing listens there.
  // Errc::timed_out: something does and does not accept. Errc::bad_gateway: the runner did not do its part.
  virtual asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> dial(std::string sandbox_id,
                                                                         std::uint16_t port) = 0;
};

// `path`: the runner's dial.sock.
std::unique_ptr<Dialer> make_dialer(std::string path);

}  // namespace sebring::proxy
