#pragma once
// One HTTP/2 stream and its request to the server behind. Private to http2.cpp.
#include <boost/asio/steady_timer.hpp>
#include <string>

#include "base/time.h"
#include "net/client.h"

namespace sebring::proxy {

namespace asio = net::asio;

// What a stream needs of its connection.
class Http2Host {
 public:
  virtual ~Http2Host() = default;
  virtual std::unique_ptr<net::ClientConnection> take_connection() = 0;
  virtual void give_back(std::unique_ptr<net::ClientConnection> connection) = 0;
  // `bodiless`: the head is the whole answer.
  virtual void send_head(std::int32_t stream, const net::ResponseHead& head, bool bodiless) = 0;
  // There is something to send of this stream's answer, or its end.
  virtual void resume(std::int32_t stream) = 0;
  virtual void reset(std::int32_t stream, std::uint32_t error) = 0;
  // That much of the request's body was taken: the client may send more.
  virtual void consumed(std::int32_t stream, std::size_t bytes) = 0;
};

// Something that one coroutine waits for; set() is remembered until it has.
class Signal {
 public:
  explicit Signal(asio::any_io_executor executor) : timer_(executor) {}
  void set();
  asio::awaitable<void> wait();

 private:
  asio::steady_timer timer_;
  bool set_ = false;
};

struct Http2Stream {
  Http2Stream(asio::any_io_executor executor, std::int32_t the_id)
      : id(the_id), body_came(executor), answer_went(executor) {}

  const std::int32_t id;
  // --- the request, filled by the connection
  net::RequestHead head;
  std::string authority;
  std::string cookies;         // browsers split them into several fields
  std::size_t head_bytes = 0;  // as HPACK counts them
  bool head_done = false;
  bool bad = false;  // no request that could be asked of anybody
  std::string body;  // came, not yet handed on
  bool body_ended = false;
  Signal body_came;
  // --- the answer, emptied by the connection
  std::string answer;
  std::size_t answer_sent = 0;  // of `answer`
  bool answer_ended = false;
  Steady::time_point answer_moved = Steady::now();  // there was nothing to send, or some of it went
  net::Headers trailers;
  Signal answer_went;
  // --- both
  bool closed = false;                      // the client reset it, or the connection has gone
  net::ClientConnection* server = nullptr;  // to be closed then; owned by run_stream()

  void close();
};

// Checks the head, asks the server, hands on its answer. Ends soon after close().
asio::awaitable<void> run_stream(Http2Host& host, std::shared_ptr<Http2Stream> stream, std::size_t head_bytes_max);

}  // namespace sebring::proxy
