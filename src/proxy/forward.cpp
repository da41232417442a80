#include "proxy/forward.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/text.h"
#include "net/splice.h"
#include "proxy/headers.h"
#include "proxy/tunnel.h"

namespace sebring::proxy {
namespace {

// A body up to here travels in one piece with its head, and can be sent again on another connection.
constexpr std::size_t kSmallBytes = 64 * 1024;
constexpr std::size_t kBytesMax = 512 * 1024;
// From here on a body is worth a pipe through which the kernel moves it.
constexpr std::uint64_t kSpliceFrom = 512 * 1024;
constexpr std::size_t kSplicePiece = 1024 * 1024;

bool may_repeat(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE";
}

// Memory that grows once it has been filled: small answers stay cheap, big bodies get few system calls.
class Piece {
 public:
  explicit Piece(std::size_t bytes) : size_(bytes), memory_(std::make_unique_for_overwrite<char[]>(bytes)) {}
  asio::mutable_buffer room() { return asio::buffer(memory_.get(), size_); }
  std::string_view view(std::size_t used) const { return {memory_.get(), used}; }
  void used(std::size_t count) {
    if (count < size_ || size_ >= kBytesMax) return;
    size_ = kBytesMax;
    memory_ = std::make_unique_for_overwrite<char[]>(size_);
  }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> memory_;
};

// For as long as it lives.
class ClientWatch {
 public:
  ClientWatch(net::Exchange& exchange, std::function<void()> gone) : exchange_(exchange) {
    exchange_.watch_client(std::move(gone));
  }
  ~ClientWatch() { exchange_.watch_client(nullptr); }

 private:
  net::Exchange& exchange_;
};

class Carrier {
 public:
  Carrier(net::Exchange& exchange, UpstreamPool& pool, const Upstream& upstream, Forward& what)
      : exchange_(exchange), pool_(pool), upstream_(upstream), what_(what) {}

  asio::awaitable<Result<void>> run();

 private:
  asio::awaitable<Result<void>> read_first_piece();
  void frame_request();
  asio::awaitable<Result<void>> send_request();
  asio::awaitable<void> client_side();
  asio::awaitable<void> server_side();
  static asio::awaitable<void> wait_for_answer() { co_await net::sleep_for(std::chrono::hours(24 * 365)); }
  asio::awaitable<Result<void>> relay_answer(net::ResponseHead head);
  asio::awaitable<Result<void>> tunnel();
  asio::awaitable<void> tunnel_websocket(net::ByteStream& client, std::string from_client, net::ByteStream& server,
                                         std::string from_server, std::uint64_t head_bytes);
  void end(const Over& over);
  std::string switching_head() const;

  net::Exchange& exchange_;
  UpstreamPool& pool_;
  const Upstream& upstream_;
  Forward& what_;
  std::unique_ptr<net::ClientConnection> server_;
  std::string first_;      // of the request's body
  bool bodiless_ = false;  // the request has no body
  bool whole_ = false;     // first_ is all of it
  bool answered_ = false;  // the server has sent a head
  bool asked_ = false;     // the request was sent whole
  bool finished_ = false;  // the answer was handed on whole
  bool switched_ = false;  // it was a 101
  bool client_has_gone_ = false;
  std::optional<Error> body_fault_;  // of the request
  net::ResponseHead answer_;         // kept for 101 and for Keep-Alive
  std::optional<Over> over_;
  std::function<void()> end_tunnel_;  // while there is one
  Result<void> outcome_;
};

asio::awaitable<Result<void>> Carrier::read_first_piece() {
  const auto length = exchange_.content_length();
  first_.resize(length ? std::min<std::uint64_t>(*length, kSmallBytes) : kSmallBytes);
  SB_CO_TRY(const std::size_t got, co_await exchange_.read_some(asio::buffer(first_)));
  first_.resize(got);
  whole_ = exchange_.body_read();
  co_return Result<void>{};
}

void Carrier::frame_request() {
  net::Headers& headers = what_.request.headers;
  headers.remove("Content-Length");
  headers.remove("Expect");  // answered by this server with the first read of the body
  const auto length = exchange_.content_length();
  if (!length) {
    headers.add("Transfer-Encoding", "chunked");
  } else if (*length > 0 || exchange_.request().headers.find("Content-Length")) {
    headers.add("Content-Length", std::to_string(*length));
  }
  if (what_.upgrade) {
    headers.add("Connection", "Upgrade");
    headers.add("Upgrade", *what_.upgrade);
  }
}

asio::awaitable<Result<void>> Carrier::send_request() {
  if (bodiless_) {
    asked_ = true;
    if (server_->ask_now(what_.request)) co_return Result<void>{};
    co_return co_await server_->finish_body();
  }
  SB_CO_CHECK(co_await server_->send_head(what_.request));
  if (!first_.empty()) SB_CO_CHECK(co_await server_->send_body(first_));
  if (whole_) SB_CO_CHECK(co_await server_->finish_body());
  asked_ = whole_;
  co_return Result<void>{};
}

// Moves the rest of a body. false: nothing was moved and it has to be copied.
asio::awaitable<Result<bool>> splice_rest(net::RawBody from, net::ByteStream* to, std::uint64_t* left_to_write) {
  if (!from.stream || !to || *from.left < kSpliceFrom) co_return false;
  auto splicer = net::make_splicer(*from.stream, *to);
  if (!splicer) co_return false;
  while (*from.left > 0) {
    const std::size_t most = std::min<std::uint64_t>(*from.left, kSplicePiece);
    SB_CO_TRY(const std::size_t moved, co_await (*splicer)->move_some(*from.stream, *to, most));
    if (moved == 0) co_return fail(Errc::cancelled, "the body was cut");
    *from.left -= moved;
    if (left_to_write) *left_to_write -= moved;
  }
  co_return true;
}

// The rest of the request's body, then the watch for the client's end. Returns only when the client has gone.
asio::awaitable<void> Carrier::client_side() {
  Piece piece(kSmallBytes);
  for (;;) {
    auto got = co_await exchange_.read_some(piece.room());
    if (!got) {
      if (got.error().code() == Errc::invalid_argument) body_fault_ = std::move(got.error());
      co_return;
    }
    if (*got == 0) {
      asked_ = (co_await server_->finish_body()).has_value();
      break;
    }
    // A server that does not want the rest closes, and may have answered before: its answer decides.
    if (!co_await server_->send_body(piece.view(*got))) co_return co_await wait_for_answer();
    piece.used(*got);
    auto moved = co_await splice_rest(exchange_.raw_body(), server_->raw_request().stream, nullptr);
    // Without having gone the client may have stalled; a read tells.
    if (!moved && moved.error().code() == Errc::cancelled) continue;
    if (!moved) co_return co_await wait_for_answer();
  }
  co_await exchange_.client_gone();
}

asio::awaitable<void> Carrier::server_side() {
  auto head = co_await server_->read_head(what_.request.method == "HEAD");
  if (!head) {
    outcome_ = fail(std::move(head.error()).with_code(Errc::bad_gateway));
    co_return;
  }
  answered_ = true;
  if (head->status == 101) {
    answer_ = std::move(*head);
    switched_ = true;
    co_return;
  }
  outcome_ = co_await relay_answer(std::move(*head));
}

asio::awaitable<Result<void>> Carrier::relay_answer(net::ResponseHead head) {
  if (auto kept = head.headers.find("Keep-Alive")) answer_.headers.add("Keep-Alive", std::string(*kept));
  const auto length = head.headers.find("Content-Length");
  const bool chunked = head.headers.find("Transfer-Encoding").has_value();
  std::optional<std::string> length_text;
  if (chunked && !equals_ignore_case(*head.headers.find("Transfer-Encoding"), "chunked"))
    co_return fail(Errc::bad_gateway, "the server uses another transfer coding than chunked");
  if (length && !chunked) length_text = std::string(*length);
  const std::string trailer_names = chunked ? std::string(head.headers.find("Trailer").value_or("")) : "";
  net::ResponseHead out{.status = head.status, .reason = head.reason, .headers = end_to_end(std::move(head.headers))};
  out.headers.remove("Content-Length");
  if (length_text) out.headers.add("Content-Length", *length_text);
  if (!trailer_names.empty()) out.headers.add("Trailer", trailer_names);
  if (what_.edit_answer) what_.edit_answer(out);

  const bool bodiless = what_.request.method == "HEAD" || head.status == 204 || head.status == 304;
  const auto bytes = length_text ? parse_integer(*length_text).value_or(kSmallBytes) : kSmallBytes;
  Piece piece(bodiless ? 1 : std::clamp<std::size_t>(static_cast<std::size_t>(bytes), 1, kSmallBytes));
  // What came together goes out together. Nothing is waited for: the first event of a stream may be minutes away.
  std::size_t got = 0;
  if (!bodiless && server_->has_buffered()) {
    SB_CO_TRY(got, co_await server_->read_body(piece.room()));
    if (server_->body_read() && !length_text && trailer_names.empty())
      out.headers.set("Content-Length", std::to_string(got));
  }
  if (bodiless || (server_->body_read() && trailer_names.empty())) {
    finished_ = exchange_.answer_now(std::move(out), piece.view(got)) || (co_await exchange_.finish()).has_value();
    co_return Result<void>{};
  }
  if (auto sent = co_await exchange_.start(std::move(out), piece.view(got)); !sent) co_return Result<void>{};
  if (!bodiless && !server_->body_read()) {
    piece.used(got);
    const net::RawBody to = exchange_.raw_answer();
    if (!co_await splice_rest(server_->raw_body(), to.stream, to.left)) co_return Result<void>{};
  }
  while (!bodiless && !server_->body_read()) {
    auto more = co_await server_->read_body(piece.room());
    // Nothing can be said any more: the client sees a cut answer, as it is one.
    if (!more) co_return Result<void>{};
    if (*more == 0) break;
    if (!co_await exchange_.write(piece.view(*more))) co_return Result<void>{};
    if (!server_->body_read()) piece.used(*more);
  }
  finished_ = (co_await exchange_.finish(announced_trailers(server_->trailers(), trailer_names))).has_value();
  co_return Result<void>{};
}

std::string Carrier::switching_head() const {
  std::string text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ";
  text += answer_.headers.find("Upgrade").value_or(*what_.upgrade);
  text += "\r\n";
  for (const net::Header& header : end_to_end(answer_.headers)) {
    if (equals_ignore_case(header.name, "content-length")) continue;
    text.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  return text + "\r\n";
}

asio::awaitable<Result<void>> Carrier::tunnel() {
  if (!what_.upgrade) co_return fail(Errc::bad_gateway, "the server changed the protocol unasked");
  if (what_.edit_answer) what_.edit_answer(answer_);
  std::string from_server = switching_head();
  const std::uint64_t head_bytes = from_server.size();
  std::string more;
  auto server = server_->take_stream(more);
  from_server += more;
  server_.reset();  // its buffers: a tunnel may live for days
  std::string from_client;
  auto client = exchange_.take_stream(from_client);
  if (equals_ignore_case(*what_.upgrade, "websocket")) {
    co_await tunnel_websocket(*client, std::move(from_client), *server, std::move(from_server), head_bytes);
    co_return Result<void>{};
  }
  end_tunnel_ = [&client, &server] {
    client->close();
    server->close();
  };
  co_await run_tunnel(*client, std::move(from_client), *server, std::move(from_server));
  end_tunnel_ = nullptr;
  co_return Result<void>{};
}

asio::awaitable<void> Carrier::tunnel_websocket(net::ByteStream& client, std::string from_client,
                                                net::ByteStream& server, std::string from_server,
                                                std::uint64_t head_bytes) {
  asio::steady_timer over(client.executor(), Steady::time_point::max());
  end_tunnel_ = [&over] { over.expires_at(Steady::time_point::min()); };
  ToClient to_client{.frames = FrameBoundary(head_bytes)};
  const bool lost =
      co_await run_websocket(client, std::move(from_client), server, std::move(from_server), to_client, over);
  end_tunnel_ = nullptr;
  if (lost && to_client.may_close()) {
    if (!over_ && what_.why_lost) over_ = co_await what_.why_lost();
    if (over_) co_await close_websocket(client, close_frame(over_->close_code(), over_->error.message()));
  }
  client.close();
}

void Carrier::end(const Over& over) {
  // Requests have a moment to end by themselves when this process is to end, and what was asked in time is answered.
  if (over.cause == Over::Cause::server && !end_tunnel_) return;
  if (over.cause == Over::Cause::expiry && !end_tunnel_ && !answered_) return;
  over_ = over;
  if (end_tunnel_) return end_tunnel_();
  if (server_) server_->close();
  if (answered_) exchange_.cut();  // the client may have ceased to read
}

asio::awaitable<Result<void>> Carrier::run() {
  using asio::experimental::awaitable_operators::operator||;
  if (what_.on_begin) what_.on_begin([this](const Over& over) { end(over); });
  bodiless_ = exchange_.content_length() == 0;
  whole_ = bodiless_;
  if (!bodiless_) SB_CO_CHECK(co_await read_first_piece());
  frame_request();
  const bool repeatable = whole_ && may_repeat(what_.request.method);
  auto idle_at_most = repeatable ? upstream_.idle_time : what_.fresh_enough;
  for (;;) {
    server_ = exchange_.take_asked();
    asked_ = server_ != nullptr;
    if (!asked_) server_ = pool_.take_idle(upstream_, idle_at_most, repeatable);
    const bool again = server_ && repeatable;
    if (!server_) {
      SB_CO_TRY(auto stream, co_await upstream_.connect());
      server_ = net::make_client_connection(std::move(stream));
    }
    if (over_) co_return std::unexpected(over_->error);
    if (!asked_) {
      if (auto sent = co_await send_request(); !sent && again) {
        idle_at_most = {};
        continue;
      }
    }
    outcome_ = Result<void>{};
    if (whole_) {
      const ClientWatch watch(exchange_, [this] {
        client_has_gone_ = true;
        server_->close();
      });
      co_await server_side();
    } else if (auto ended = co_await (server_side() || client_side()); ended.index() == 1) {
      client_has_gone_ = true;
    }
    if (body_fault_ && !answered_) co_return fail(std::move(*body_fault_));
    if (client_has_gone_) co_return fail(Errc::cancelled, "client has gone");
    if (over_ && !answered_) co_return std::unexpected(over_->error);
    if (!answered_ && again) {
      idle_at_most = {};
      continue;
    }
    if (switched_) co_return co_await tunnel();
    // An answer that came before the whole request leaves a connection on which the rest would be read as the next one.
    if (finished_ && asked_)
      pool_.give_back(upstream_, std::move(server_),
                      kept_idle(answer_.headers.find("Keep-Alive"), upstream_.idle_time));
    co_return outcome_;
  }
}

}  // namespace

asio::awaitable<Result<void>> forward(net::Exchange& exchange, UpstreamPool& pool, const Upstream& upstream,
                                      Forward& what) {
  Carrier carrier(exchange, pool, upstream, what);
  co_return co_await carrier.run();
}

}  // namespace sebring::proxy
