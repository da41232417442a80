#pragma once
// One server connection: reads heads, runs the handler, writes answers, keeps alive. Private to net.
#include <memory>

#include "base/time.h"
#include "net/exchange.h"
#include "net/http_parser.h"
#include "net/read_buffer.h"
#include "net/request_head.h"
#include "net/server.h"

namespace sebring::net {

class ExchangeImpl;

// What a handler left unread is thrown away up to here, so that the connection can go on; above, it is closed.
constexpr std::size_t kDrainBytesMax = 256 * 1024;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::unique_ptr<ByteStream> stream, std::string peer, const ServerLimits& limits, const Handler& handler,
             const HeadErrorBody& head_error, std::unique_ptr<ShortWay> short_way, std::size_t& kept_body_bytes);
  asio::awaitable<void> run();
  // Ends it: at once when idle, else after the current exchange.
  void finish_soon();
  void close();
  // Says 503 and why to a client that waits for an answer of which nothing was sent, and nothing after that. false:
  // there is none.
  bool turn_away(std::string_view why);
  // Closes it when its deadline is over; ends a body that has stalled; tells who watches for the client's end.
  void check(Steady::time_point now);

 private:
  friend class ExchangeImpl;
  enum class HeadRead { ok, closed, answered };
  asio::awaitable<HeadRead> read_head();
  bool begin_body(std::string_view head);
  bool goes_short_way();
  // Makes head_ of raw_. false: its target names another host.
  bool own_head();
  asio::awaitable<bool> serve_one();
  void check_body(Steady::time_point now);
  asio::awaitable<void> refuse(int status, std::string why);
  static std::string closing_answer(const Response& response);
  asio::awaitable<bool> drain(ExchangeImpl& exchange);
  asio::awaitable<void> linger();

  std::unique_ptr<ByteStream> stream_;
  std::string peer_;
  const ServerLimits& limits_;
  const Handler& handler_;
  const HeadErrorBody& head_error_;
  std::size_t& kept_body_bytes_;               // of all connections
  const std::unique_ptr<ShortWay> short_way_;  // may be null
  std::unique_ptr<ClientConnection> asked_;    // left by it for the exchange that follows
  ReadBuffer buffer_;
  RawHead raw_;                 // in buffer_
  std::size_t head_bytes_ = 0;  // of raw_
  RequestHead head_;
  std::unique_ptr<RequestParser> parser_;  // of a request with a body
  std::optional<Steady::time_point> deadline_;
  ExchangeImpl* exchange_ = nullptr;  // the present one
  std::uint64_t body_seen_ = 0;       // of its body, at the last look
  Steady::time_point body_grew_;
  bool body_stalled_ = false;
  std::function<void()> client_gone_;
  bool idle_ = true;
  bool on_short_way_ = false;
  bool stopping_ = false;
};

}  // namespace sebring::net
