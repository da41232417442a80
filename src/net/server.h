#pragma once
// Listens and serves HTTP/1.1 with keep-alive: one coroutine per connection.
#include <functional>
#include <memory>
#include <string>

#include "net/exchange.h"
#include "net/peers.h"
#include "net/short_way.h"

namespace sebring::net {

struct ServerLimits {
  std::size_t head_bytes_max = 32 * 1024;        // 431 above; SDKs send under 2 KiB, signed URLs and cookies a few more
  std::chrono::milliseconds head_time{20'000};   // from the first byte of a head to its end
  std::chrono::milliseconds idle_time{300'000};  // between requests; SDK pools keep connections for minutes
  // Without a byte of a request's body, while it is waited for and nothing was answered yet: then 408 and the end. The
  // clock starts anew with every byte.
  std::chrono::milliseconds body_stall_time{120'000};
  std::size_t connections_max = 10'000;
  // Bodies of all requests that are kept in memory as a whole (Exchange::read_all), until their requests end.
  std::size_t kept_body_bytes_max = 256 << 20;
  PeerLimit peers;
  // How often deadlines and clients that are watched (Exchange::watch_client) are looked at, while there are
  // connections.
  std::chrono::milliseconds look_every{1'000};
};

// Called for each request. What it leaves unanswered is answered with 500; a body it did not read is drained (bounded).
using Handler = std::function<asio::awaitable<void>(Exchange&)>;

// Answers what never reaches a handler: a bad head (400), too long (431), a timeout (408). Makes the body.
using HeadErrorBody = std::function<Response(int status, std::string_view why)>;

class Server {
 public:
  virtual ~Server() = default;
  // `address` a literal; port 0 picks one. Returns the port.
  virtual Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port) = 0;
  // Takes over a listening socket (Unix or TCP).
  virtual Result<void> listen_fd(UniqueFd listening) = 0;
  // Binds and listens; an old socket file is replaced.
  virtual Result<void> listen_unix(const std::string& path, unsigned mode) = 0;
  // Serves a connection that somebody else accepted. `peer`: what Exchange::peer() says.
  virtual void serve(Socket connected, std::string peer) = 0;
  // Accepts no more; connections end after their current exchange, at the latest after `grace`. Who is still waiting
  // for an answer then is told 503 and `farewell`; without one the connection is cut.
  virtual asio::awaitable<void> stop(std::chrono::milliseconds grace, std::string farewell = {}) = 0;
  virtual std::size_t connections() const = 0;
};

std::unique_ptr<Server> make_server(asio::any_io_executor executor, ServerLimits limits, Handler handler,
                                    HeadErrorBody head_error, MakeShortWay make_short_way = {});

}  // namespace sebring::net
