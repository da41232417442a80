#pragma once
// TLS in front of a plain HTTP server in the same process: connections are decrypted here and handed to the server as
// socket pairs. Nothing behind it knows of TLS, so WebSockets, tunnels and splice work as they are.
#include <functional>
#include <memory>
#include <string>

#include "net/server.h"

namespace sebring::proxy {

struct TlsFiles {
  std::string certificate;  // PEM, the chain in order, for instance of a wildcard
  std::string key;          // PEM
};

struct TlsLimits {
  net::PeerLimit peers;
  std::chrono::milliseconds stall_time{300'000};  // of an HTTP/2 stream whose answer the client does not take
  std::chrono::milliseconds look_every{5'000};
};

class TlsFront {
 public:
  virtual ~TlsFront() = default;
  // `address` a literal; port 0 picks one. Returns the port.
  virtual Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port) = 0;
  // Takes over a listening TCP socket.
  virtual Result<void> listen_fd(UniqueFd listening) = 0;
  // Accepts no more. Connections end when the server behind ends them.
  virtual void stop() = 0;
};

// `behind` must be told by its owner that its clients use https; it outlives the front. The files are looked at again
// when they change; a new pair that does not fit is reported to `problem` once, and the old one goes on.
// Errc::invalid_argument when the first pair can not be used.
Result<std::unique_ptr<TlsFront>> make_tls_front(net::asio::any_io_executor executor, TlsFiles files,
                                                 net::Server& behind, std::function<void(std::string)> problem,
                                                 TlsLimits limits = {});

}  // namespace sebring::proxy
