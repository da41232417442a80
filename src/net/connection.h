#pragma once
// One server connection: reads heads, runs the handler, writes answers, keeps alive. Private to net.
#include <memory>

#include "base/time.h"
#include "net/exchange.h"
#include "net/http_parser.h"
#include "net/read_buffer.h"
#include "net/server.h"

namespace sebring::net {

class ExchangeImpl;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::unique_ptr<ByteStream> stream, std::string peer, const ServerLimits& limits, const Handler& handler,
             const HeadErrorBody& head_error);
  asio::awaitable<void> run();
  // Ends it: at once when idle, else after the current exchange.
  void finish_soon();
  void close();
  // Closes it when its deadline is over; ends a body that has stalled; tells who watches for the client's end.
  void check(Steady::time_point now);

 private:
  friend class ExchangeImpl;
  enum class HeadRead { ok, closed, answered };
  asio::awaitable<HeadRead> read_head();
  bool begin_body(std::string_view head);
  asio::awaitable<bool> serve_one();
  void check_body(Steady::time_point now);
  asio::awaitable<void> refuse(int status, std::string why);
  asio::awaitable<bool> drain(ExchangeImpl& exchange);
  asio::awaitable<void> linger();

  std::unique_ptr<ByteStream> stream_;
  std::string peer_;
  const ServerLimits& limits_;
  const Handler& handler_;
  const HeadErrorBody& head_error_;
  ReadBuffer buffer_;
  RequestHead head_;
  std::unique_ptr<RequestParser> parser_;  // of a request with a body
  std::optional<Steady::time_point> deadline_;
  ExchangeImpl* exchange_ = nullptr;  // the present one
  std::uint64_t body_seen_ = 0;       // of its body, at the last look
  Steady::time_point body_grew_;
  bool body_stalled_ = false;
  std::function<void()> client_gone_;
  bool idle_ = true;
  bool stopping_ = false;
};

}  // namespace sebring::net
