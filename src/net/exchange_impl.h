#pragma once
// The server's Exchange over a Connection. Private to net.
#include <utility>

#include "net/client.h"
#include "net/connection.h"

namespace sebring::net {

class ExchangeImpl final : public Exchange {
 public:
  explicit ExchangeImpl(Connection& connection);
  ~ExchangeImpl() override { keep_nothing(); }
  ExchangeImpl(const ExchangeImpl&) = delete;
  ExchangeImpl& operator=(const ExchangeImpl&) = delete;

  const RequestHead& request() const override { return head_; }
  const std::string& peer() const override { return connection_.peer_; }
  std::optional<std::uint64_t> content_length() const override;
  asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer into) override;
  asio::awaitable<Result<std::string>> read_all(std::size_t bytes_max) override;
  asio::awaitable<Result<void>> respond(Response response) override;
  asio::awaitable<Result<void>> start(ResponseHead head, std::string_view first) override;
  asio::awaitable<Result<void>> write(std::string_view piece) override;
  asio::awaitable<Result<void>> finish(Headers trailers = {}) override;
  bool answer_now(ResponseHead head, std::string_view body) override;
  int status_sent() const override { return status_sent_; }
  asio::awaitable<void> client_gone() override;
  void watch_client(std::function<void()> gone) override { connection_.client_gone_ = std::move(gone); }
  void cut() override {
    if (connection_.stream_) connection_.stream_->close();
  }
  std::unique_ptr<ClientConnection> take_asked() override { return std::move(asked_); }
  bool wants_websocket() const override;
  std::vector<std::string> offered_subprotocols() const override;
  asio::awaitable<Result<std::unique_ptr<WebSocket>>> accept_websocket(WebSocketOptions options) override;
  std::unique_ptr<ByteStream> take_stream(std::string& already_read) override;

  bool keep_alive() const { return keep_alive_; }
  // Known bytes of the request's body that nobody has read yet; 0 where their number is not known.
  std::uint64_t body_left() const;
  RawBody raw_body() override;
  RawBody raw_answer() override;
  bool body_read() const override { return body_done(); }
  bool body_done() const {
    if (!parser_) return true;
    return broken_ ? false : direct_left_ ? *direct_left_ == 0 : parser_->is_done();
  }
  bool answer_complete() const { return complete_; }
  // Somebody waits for the body's next bytes, and nothing was answered yet.
  bool waits_for_body() const { return (reading_ || raw_) && status_sent_ == 0 && !body_done(); }
  // Grows with everything that was read of the body.
  std::uint64_t body_bytes() const { return body_bytes_ - direct_left_.value_or(0); }

 private:
  bool go_direct();
  bool keep(std::size_t more_bytes);
  void keep_nothing() { connection_.kept_body_bytes_ -= std::exchange(kept_bytes_, 0); }
  Error body_ended();
  std::string stall_text() const;
  asio::awaitable<Result<std::size_t>> read_direct(asio::mutable_buffer into);
  enum class Framing { none, length, chunked, until_close };
  // Decides how the body is framed; the head as text.
  std::string begin(ResponseHead& head);
  std::string head_text(int status, std::string_view reason, const Headers& headers,
                        std::optional<std::uint64_t> length);

  Connection& connection_;
  RequestHead head_;
  std::unique_ptr<ClientConnection> asked_;
  std::unique_ptr<RequestParser> parser_;  // of the body; nullptr: there is none
  bool keep_alive_ = true;
  bool is_head_ = false;
  bool expects_continue_ = false;
  bool broken_ = false;
  bool body_cut_ = false;  // the connection's end came before the body's
  bool reading_ = false;   // in read_some()
  bool raw_ = false;       // the body is read past this
  std::uint64_t body_bytes_ = 0;
  std::size_t kept_bytes_ = 0;  // of connection_.kept_body_bytes_
  bool complete_ = false;
  int status_sent_ = 0;
  Framing framing_ = Framing::none;
  std::uint64_t length_left_ = 0;
  std::string pending_head_;   // travels with the next write
  bool answered_now_ = false;  // pending_head_ is the rest of a whole answer
  // Set once a body of known length is read past the parser: from the stream into the caller's memory.
  std::optional<std::uint64_t> direct_left_;
};

}  // namespace sebring::net
