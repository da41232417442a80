#pragma once
// HTTP/2 from clients, translated: every stream becomes an HTTP/1.1 request to the server behind, over a socket pair,
// so that all its rules and limits hold for it unchanged. libnghttp2 speaks the protocol. Private to the TLS front.
#include <functional>

#include "net/stream.h"

namespace sebring::proxy {

namespace asio = net::asio;

// The decrypted connection. One reader and one writer at a time.
class Http2Wire {
 public:
  virtual ~Http2Wire() = default;
  // 0 at the end, or when it broke.
  virtual asio::awaitable<std::size_t> read(asio::mutable_buffer into) = 0;
  virtual asio::awaitable<bool> write(asio::const_buffer data) = 0;
};

struct Http2Limits {
  std::uint32_t streams_max = 100;           // at a time, of one connection
  std::size_t head_bytes_max = 32 * 1024;    // as for HTTP/1.1; 431 above
  std::uint32_t stream_window = 128 * 1024;  // of a body that nobody takes yet
  std::int32_t connection_window = 1024 * 1024;
  std::chrono::milliseconds head_time{20'000};   // from the first frame of a head to its last
  std::chrono::milliseconds idle_time{300'000};  // without any stream
  std::chrono::milliseconds stall_time;          // of a stream whose answer the client does not take
  std::chrono::milliseconds look_every;          // for what is over time
};

// A connection to the server behind; nullptr when it takes no more.
using Http2Connect = std::function<std::unique_ptr<net::ByteStream>()>;

// Serves until the connection ends. What is still running for it then is ended too.
asio::awaitable<void> serve_http2(Http2Wire& wire, Http2Connect connect, Http2Limits limits);

}  // namespace sebring::proxy
