#include "net/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/text.h"
#include "net/client.h"
#include "net/exchange_impl.h"

namespace sebring::net {
namespace {

// After an early answer the client may still be sending; closing at once would make its kernel drop our answer.
constexpr std::chrono::seconds kLinger{2};
// Waited with for the next request: what an idle connection holds. Most heads are shorter.
constexpr std::size_t kHeadReadBytes = 4 * 1024;
constexpr std::size_t kWasteBytes = 16 * 1024;

std::size_t head_end(std::string_view bytes, std::size_t from) {
  const std::size_t start = from < 3 ? 0 : from - 3;
  const std::size_t at = bytes.find("\r\n\r\n", start);
  return at == std::string_view::npos ? at : at + 4;
}

// Absolute form (RFC 9112 3.2.2) is accepted when it names the host of the request; it then reads as origin form.
bool to_origin_form(RequestHead& head) {
  if (head.target.starts_with('/') || head.target == "*") return true;
  const std::size_t authority = head.target.find("://");
  if (authority == std::string::npos) return false;
  const std::size_t path = head.target.find_first_of("/?", authority + 3);
  const std::string host = head.target.substr(authority + 3, path == std::string::npos ? path : path - authority - 3);
  auto named = head.headers.find("Host");
  if (!named || !equals_ignore_case(*named, host)) return false;
  std::string rest = path == std::string::npos ? "/" : head.target.substr(path);
  head.target = rest.starts_with('/') ? rest : "/" + rest;
  return true;
}

}  // namespace

Connection::Connection(std::unique_ptr<ByteStream> stream, std::string peer, const ServerLimits& limits,
                       const Handler& handler, const HeadErrorBody& head_error, std::unique_ptr<ShortWay> short_way,
                       std::size_t& kept_body_bytes)
    : stream_(std::move(stream)),
      peer_(std::move(peer)),
      limits_(limits),
      handler_(handler),
      head_error_(head_error),
      kept_body_bytes_(kept_body_bytes),
      short_way_(std::move(short_way)) {}

void Connection::finish_soon() {
  stopping_ = true;
  if (idle_ && stream_) stream_->close();
}

void Connection::close() {
  if (stream_) stream_->close();
}

bool Connection::turn_away(std::string_view why) {
  const bool waits = exchange_ ? exchange_->status_sent() == 0 : on_short_way_ && !short_way_->answers();
  if (!stream_ || !waits) return false;
  const Response response = head_error_(503, why);
  std::string text = closing_answer(response);
  if (!exchange_ || exchange_->request().method != "HEAD") text += response.body;
  // Once more where it was a connection's turn to wait; a client that took nothing of earlier answers hears nothing.
  if (stream_->write_now(asio::buffer(text)) == 0) stream_->write_now(asio::buffer(text));
  stream_->shutdown_write();  // what the handler says from here on fails
  return true;
}

void Connection::check(Steady::time_point now) {
  if (!stream_) return;
  if (deadline_ && now > *deadline_) stream_->close();
  if (exchange_) check_body(now);
  if (!client_gone_ && !on_short_way_) return;
  pollfd client{.fd = stream_->native_handle(), .events = POLLRDHUP, .revents = 0};
  if (::poll(&client, 1, 0) <= 0) return;
  if (auto gone = std::exchange(client_gone_, nullptr)) gone();
  if (on_short_way_) short_way_->client_gone();
}

// What waits in the socket counts as progress: it is we who do not read it, because whoever takes the body is slow.
void Connection::check_body(Steady::time_point now) {
  if (!exchange_->waits_for_body()) {
    body_grew_ = now;
    return;
  }
  pollfd client{.fd = stream_->native_handle(), .events = POLLIN, .revents = 0};
  const std::uint64_t got = exchange_->body_bytes();
  if (std::exchange(body_seen_, got) != got || ::poll(&client, 1, 0) > 0) {
    body_grew_ = now;
  } else if (now - body_grew_ > limits_.body_stall_time) {
    // The reader sees the end of the stream, and the client can still be told.
    body_stalled_ = true;
    ::shutdown(stream_->native_handle(), SHUT_RD);
  }
}

asio::awaitable<void> Connection::run() {
  while (!stopping_ && stream_) {
    const HeadRead read = co_await read_head();
    if (read != HeadRead::ok) break;
    if (goes_short_way()) {
      on_short_way_ = true;
      const auto end = co_await short_way_->finish(*stream_);
      on_short_way_ = false;
      if (end == ShortWay::End::cut) break;
      if (end == ShortWay::End::answered) {
        buffer_.consume(head_bytes_);
        continue;
      }
      asked_ = short_way_->take_asked();
    }
    if (!own_head()) {
      co_await refuse(400, "the target names another host");
      break;
    }
    if (!co_await serve_one()) break;
  }
  if (stream_) stream_->close();
}

asio::awaitable<Connection::HeadRead> Connection::read_head() {
  idle_ = buffer_.size() == 0;
  if (idle_) buffer_.release_if_empty();
  deadline_ = Steady::now() + (idle_ ? limits_.idle_time : limits_.head_time);
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = head_end(buffer_.view(), searched);
    if (end != std::string_view::npos && end <= limits_.head_bytes_max) {
      const std::string_view raw = buffer_.view().substr(0, end);
      if (auto fault = read_request_head(raw, raw_)) {
        co_await refuse(400, *fault);
        co_return HeadRead::answered;
      }
      if (raw_.has_body && !begin_body(raw)) {
        co_await refuse(400, "malformed request");
        co_return HeadRead::answered;
      }
      head_bytes_ = end;
      break;
    }
    if (buffer_.size() > limits_.head_bytes_max) {
      co_await refuse(431, "request head is longer than " + std::to_string(limits_.head_bytes_max) + " bytes");
      co_return HeadRead::answered;
    }
    searched = buffer_.size();
    auto got = co_await stream_->read_some(buffer_.prepare(kHeadReadBytes));
    if (!got || *got == 0) co_return HeadRead::closed;
    if (idle_) deadline_ = Steady::now() + limits_.head_time;
    idle_ = false;
    buffer_.commit(*got);
  }
  deadline_.reset();
  co_return HeadRead::ok;
}

bool Connection::goes_short_way() { return short_way_ && !raw_.has_body && !stopping_ && short_way_->begin(raw_); }

bool Connection::own_head() {
  head_ = net::own_head(raw_);
  buffer_.consume(head_bytes_);
  if (!to_origin_form(head_)) return false;
  split_target(head_);
  return true;
}

// The library's parser unpacks the body; it has to see the head for that.
bool Connection::begin_body(std::string_view head) {
  parser_ = std::make_unique<RequestParser>();
  boost::beast::error_code code;
  const std::size_t used = parser_->put(asio::const_buffer(head.data(), head.size()), code);
  return !code && parser_->is_header_done() && used == head.size();
}

// Returns whether the connection may carry another request.
asio::awaitable<bool> Connection::serve_one() {
  ExchangeImpl exchange(*this);
  exchange_ = &exchange;
  body_grew_ = Steady::now();
  struct Forget {
    Connection& connection;
    ~Forget() { connection.exchange_ = nullptr; }
  } forget{*this};
  bool failed = false;
  try {
    co_await handler_(exchange);
  } catch (const std::exception&) {
    // The handler's own boundary logs; here it only matters that nobody waits for ever.
    failed = true;
  }
  if (!stream_) co_return false;  // taken over by a WebSocket or a tunnel
  if (exchange.status_sent() == 0) co_await exchange.respond(head_error_(500, "An unexpected error occurred."));
  if (failed || !exchange.answer_complete()) co_return false;
  if (!exchange.keep_alive() || stopping_) {
    if (!exchange.body_done()) co_await linger();
    co_return false;
  }
  co_return exchange.body_done() || co_await drain(exchange);
}

asio::awaitable<bool> Connection::drain(ExchangeImpl& exchange) {
  std::size_t drained = 0;
  std::vector<char> waste;
  deadline_ = Steady::now() + limits_.head_time;
  while (!exchange.body_done()) {
    waste.resize(kWasteBytes);
    auto got = co_await exchange.read_some(asio::buffer(waste));
    if (!got) co_return false;
    drained += *got;
    if (drained > kDrainBytesMax) {
      co_await linger();
      co_return false;
    }
  }
  co_return true;
}

asio::awaitable<void> Connection::linger() {
  stream_->shutdown_write();
  deadline_ = Steady::now() + kLinger;
  std::vector<char> waste(64 * 1024);
  for (;;) {
    auto got = co_await stream_->read_some(asio::buffer(waste));
    if (!got || *got == 0 || Steady::now() > *deadline_) co_return;
  }
}

std::string Connection::closing_answer(const Response& response) {
  std::string head =
      "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason_phrase(response.status)) + "\r\n";
  for (const Header& header : response.headers)
    head.append(header.name).append(": ").append(header.value).append("\r\n");
  head += "Content-Length: " + std::to_string(response.body.size()) + "\r\nConnection: close\r\n\r\n";
  return head;
}

asio::awaitable<void> Connection::refuse(int status, std::string why) {
  const Response response = head_error_(status, why);
  const std::string head = closing_answer(response);
  if (auto written = co_await stream_->write2(asio::buffer(head), asio::buffer(response.body)); !written) co_return;
  co_await linger();
}

}  // namespace sebring::net
