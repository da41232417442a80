#pragma once
// One request and its answer on a server connection. Nothing is buffered whole unless the handler asks for it.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"
#include "net/stream.h"

namespace sebring::net {

class ClientConnection;
class WebSocket;

struct WebSocketOptions {
  // Selected subprotocol, echoed in the answer; empty: none. Must be one of those offered.
  std::string subprotocol;
  std::size_t message_bytes_max = 1024 * 1024;
};

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& request() const = 0;
  // Address of the peer as text, "" on a Unix socket.
  virtual const std::string& peer() const = 0;

  // --- the request's body -----------------------------------------------------------------------------------------
  // Content-Length where the client sent one; nullopt for chunked. 0 when there is no body.
  virtual std::optional<std::uint64_t> content_length() const = 0;
  // At least one byte, or 0 at the end. Errc::invalid_argument for broken framing, after which the connection ends.
  virtual asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer into) = 0;
  // Whether the body was read to its end (also when there is none). May lag behind by one read_some().
  virtual bool body_read() const = 0;
  virtual RawBody raw_body() = 0;
  // The whole body; Errc::too_large when it is longer than `bytes_max`.
  virtual asio::awaitable<Result<std::string>> read_all(std::size_t bytes_max) = 0;

  // --- the answer, exactly once ------------------------------------------------------------------------------------
  virtual asio::awaitable<Result<void>> respond(Response response) = 0;
  // Or in pieces: with Content-Length in the head that many bytes must follow, else chunked (or until close for 1.0).
  // `first` goes out with the head in one system call; it counts as the first write().
  virtual asio::awaitable<Result<void>> start(ResponseHead head, std::string_view first = {}) = 0;
  virtual asio::awaitable<Result<void>> write(std::string_view piece) = 0;
  // After start() with a Content-Length: the answer's body, to be written past this.
  virtual RawBody raw_answer() = 0;
  // `trailers` go out after a chunked body and are dropped otherwise.
  virtual asio::awaitable<Result<void>> finish(Headers trailers = {}) = 0;
  // start(), all of the body and finish() in one, if the stream takes it without waiting. false: finish() sends what is
  // left, and meets the error where there is one.
  virtual bool answer_now(ResponseHead head, std::string_view body) = 0;
  // Status of what was sent; 0 before.
  virtual int status_sent() const = 0;

  // Cuts the connection; what waits for the client fails.
  virtual void cut() = 0;

  // Completes when the client has gone away (or sent more than we are willing to keep). Only after the body was read
  // to its end. For use in: co_await (work() || exchange.client_gone()).
  virtual asio::awaitable<void> client_gone() = 0;
  // The same for work that is not worth a second coroutine, as most is over in a millisecond: `gone` is called once
  // when the client has gone, at the server's next look (ServerLimits::look_every). Null: no more. Must be null again
  // before what it refers to ends.
  virtual void watch_client(std::function<void()> gone) = 0;

  // A connection on which this very request, which has no body, was asked already (ShortWay); nullptr: it was not.
  virtual std::unique_ptr<ClientConnection> take_asked() { return nullptr; }

  // --- something else than HTTP from here on
  // --------------------------------------------------------------------------
  virtual bool wants_websocket() const = 0;
  // Subprotocols that the client offered, in order.
  virtual std::vector<std::string> offered_subprotocols() const = 0;
  // Answers 101. The exchange is used up; the connection belongs to the WebSocket. Errc::invalid_argument (nothing sent
  // yet) when the request is no valid upgrade.
  virtual asio::awaitable<Result<std::unique_ptr<WebSocket>>> accept_websocket(WebSocketOptions options) = 0;
  // The raw connection, and what was already read of it. The exchange is used up, nothing has been answered.
  virtual std::unique_ptr<ByteStream> take_stream(std::string& already_read) = 0;
};

// A message-based connection (RFC 6455), either side. One reader and one writer at a time; pings are answered while a
// read is waiting.
class WebSocket {
 public:
  struct Message {
    bool text = false;
    std::string data;
  };
  virtual ~WebSocket() = default;
  // nullopt when the peer has closed; Errc::too_large, Errc::invalid_argument for protocol errors (already closed
  // then).
  virtual asio::awaitable<Result<std::optional<Message>>> read() = 0;
  virtual asio::awaitable<Result<void>> send_text(std::string_view text) = 0;
  virtual asio::awaitable<Result<void>> send_binary(std::string_view bytes) = 0;
  // Sends a close frame and waits (bounded) for the peer's. `reason` at most 123 bytes.
  virtual asio::awaitable<void> close(std::uint16_t code, std::string reason) = 0;
  // Ends the connection at once; a pending read or send fails.
  virtual void abort() = 0;
  // Code of the peer's close frame; 1005 without one.
  virtual std::uint16_t close_code() const = 0;
};

}  // namespace sebring::net
