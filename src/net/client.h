#pragma once
// The asking side of HTTP/1.1, over any ByteStream.
#include <functional>
#include <memory>
#include <string>

#include "net/http.h"
#include "net/stream.h"

namespace sebring::net {

class ReadBuffer;
class WebSocket;

// One connection; requests one after the other. Not for concurrent use.
class ClientConnection {
 public:
  virtual ~ClientConnection() = default;
  // Sends the head. With Content-Length that many body bytes must follow, with `Transfer-Encoding: chunked` the pieces
  // are framed here; with neither there is no body. Host is added when it is missing.
  virtual asio::awaitable<Result<void>> send_head(const RequestHead& head) = 0;
  virtual asio::awaitable<Result<void>> send_body(std::string_view piece) = 0;
  virtual asio::awaitable<Result<void>> finish_body() = 0;
  // The whole of a request that has no body, if the stream takes it without waiting. false: finish_body() sends what is
  // left, and meets the error where there is one.
  virtual bool ask_now(const RequestHead& head) = 0;
  // The same with the head as text, which must be of one request that has no body and lets the connection stay.
  virtual bool ask_now(std::string_view head) = 0;
  // For who reads answers himself: what was read, to which more may be added. After took_answer() the connection can
  // carry the next request; read_head() takes up what is there.
  virtual ReadBuffer& answer_bytes() = 0;
  // The first of them, which are gone now, were the whole answer.
  virtual void took_answer(std::size_t bytes) = 0;
  // Skips 1xx but 101. `head_only`: the request was HEAD.
  virtual asio::awaitable<Result<ResponseHead>> read_head(bool head_only = false) = 0;
  // At least one byte, or 0 at the end of the body.
  virtual asio::awaitable<Result<std::size_t>> read_body(asio::mutable_buffer into) = 0;
  // Whether the answer's body was read to its end. May lag behind by one read_body() when the length is not known.
  virtual bool body_read() const = 0;
  // Fields after a chunked body, once it was read to its end. Valid until the next read_head().
  virtual const Headers& trailers() const = 0;
  // The answer's body, to be read past this.
  virtual RawBody raw_body() = 0;
  // The request's body, to be written past this: its Content-Length is the caller's to keep. nullptr stream for
  // chunked.
  virtual RawBody raw_request() = 0;
  // Whether read_body() would give something without waiting.
  virtual bool has_buffered() const = 0;
  // Borrowed: to wait for bytes while nothing is being read. nullptr after take_stream().
  virtual ByteStream* stream() = 0;
  // Whether the connection may carry another request: the last answer was read to its end and nobody said close.
  virtual bool reusable() const = 0;
  // Gives buffers back while the connection waits to be used again.
  virtual void rest() = 0;
  // After 101: the raw stream and what was already read of it.
  virtual std::unique_ptr<ByteStream> take_stream(std::string& already_read) = 0;
  virtual void close() = 0;
};
std::unique_ptr<ClientConnection> make_client_connection(std::unique_ptr<ByteStream> stream);

// Keeps idle connections to one place and asks over them. A request on a reused connection that the server closed
// before answering is sent again on a new one when its method is idempotent (GET, HEAD, PUT, DELETE).
class Client {
 public:
  using Connect = std::function<asio::awaitable<Result<std::unique_ptr<ByteStream>>>()>;
  explicit Client(Connect connect, std::size_t idle_max = 16);
  ~Client();
  // The whole answer, at most `body_bytes_max`. Errc::timed_out after `deadline`, Errc::unavailable when nobody
  // answers.
  asio::awaitable<Result<Response>> ask(std::string method, std::string target, Headers headers, std::string body,
                                        std::chrono::milliseconds deadline, std::size_t body_bytes_max = 64 << 20);
  // For streaming: an idle connection or a new one. Give it back only when reusable().
  asio::awaitable<Result<std::unique_ptr<ClientConnection>>> take();
  void give_back(std::unique_ptr<ClientConnection> connection);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// As a client of a WebSocket server (tests, CLI).
asio::awaitable<Result<std::unique_ptr<WebSocket>>> open_websocket(std::unique_ptr<ByteStream> stream, std::string host,
                                                                   std::string target, Headers headers);

}  // namespace sebring::net
