#pragma once
// A connected, ordered byte stream: TCP, Unix, TLS. Everything above it is compiled once, whatever lies below.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::net {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // At least one byte, or 0 at the end of the stream.
  virtual asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer into) = 0;
  // Completes when read_some would not wait: bytes, the end or an error are there. Lets an idle connection hold no
  // buffer.
  virtual asio::awaitable<Result<void>> wait_readable() = 0;
  // Completes when a write would not wait, or has failed.
  virtual asio::awaitable<Result<void>> wait_writable() = 0;
  // Whether bytes on native_handle() are the bytes of this stream (not so for TLS).
  virtual bool is_plain_socket() const = 0;
  // All of it. The memory must live until the call returns.
  virtual asio::awaitable<Result<void>> write(asio::const_buffer data) = 0;
  // Two pieces with one system call where the stream can.
  virtual asio::awaitable<Result<void>> write2(asio::const_buffer first, asio::const_buffer second) = 0;
  // As much of both as is taken without waiting, which may be nothing at any time, also in the place of an error: the
  // rest goes through write(). Spares the coroutine of what nearly always fits.
  virtual std::size_t write_now(asio::const_buffer, asio::const_buffer = {}) { return 0; }
  // End of what we write; the peer may go on.
  virtual void shutdown_write() = 0;
  // Ends both directions at once; pending calls fail.
  virtual void close() = 0;
  virtual asio::any_io_executor executor() = 0;
  // The plain socket below, released from this stream, which is then closed. Errc::not_implemented for TLS.
  virtual Result<Socket> release_socket() = 0;
  // Borrowed; -1 when there is none (TLS has one too).
  virtual int native_handle() = 0;
};

// Takes over a connected socket.
std::unique_ptr<ByteStream> make_stream(Socket socket);
Result<std::unique_ptr<ByteStream>> adopt_stream(asio::any_io_executor executor, UniqueFd connected);

asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect_unix(std::string path);
// `host` is a literal address; names are resolved elsewhere, where the answer can be checked.
asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect_tcp(std::string address, std::uint16_t port);

// Every wait has a deadline. True when the time is over, false when cancelled.
asio::awaitable<bool> sleep_for(std::chrono::milliseconds time);

}  // namespace sebring::net
