#include "net/exchange_impl.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "net/websocket_impl.h"

namespace sebring::net {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// How much of a pipelining client is kept while its earlier request is being worked on.
constexpr std::size_t kReadAheadMax = 64 * 1024;

void append_chunk_size(std::string& text, std::size_t size) {
  char digits[16];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, size, 16).ptr).append("\r\n");
}

bool status_has_no_body(int status) { return status == 204 || status == 304 || (status >= 100 && status < 200); }

}  // namespace

ExchangeImpl::ExchangeImpl(Connection& connection)
    : connection_(connection),
      head_(std::move(connection.head_)),
      asked_(std::move(connection.asked_)),
      parser_(std::move(connection.parser_)) {
  const RequestHead& head = head_;
  const bool close = head.headers.has_token("Connection", "close");
  const bool old = head.version_minor == 0;
  keep_alive_ = !close && (!old || head.headers.has_token("Connection", "keep-alive"));
  is_head_ = head.method == "HEAD";
  expects_continue_ = !old && head.headers.has_token("Expect", "100-continue");
}

std::optional<std::uint64_t> ExchangeImpl::content_length() const {
  if (!parser_) return 0;
  if (parser_->chunked()) return std::nullopt;
  auto length = parser_->content_length();
  return length ? *length : 0;
}

std::uint64_t ExchangeImpl::body_left() const {
  if (direct_left_) return *direct_left_;
  if (!parser_ || parser_->chunked()) return 0;
  const auto left = parser_->content_length_remaining();
  return left ? *left : 0;
}

asio::awaitable<Result<std::size_t>> ExchangeImpl::read_some(asio::mutable_buffer into) {
  if (!parser_) co_return std::size_t{0};
  struct Reading {
    bool& flag;
    ~Reading() { flag = false; }
  } reading{reading_ = true};
  if (broken_) co_return fail(Errc::invalid_argument, "request body is broken");
  if (expects_continue_ && !parser_->is_done()) {
    expects_continue_ = false;
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    SB_CO_CHECK(co_await connection_.stream_->write(asio::buffer(kContinue)));
  }
  if (go_direct()) co_return co_await read_direct(into);
  parser_->sink = {.data = static_cast<char*>(into.data()), .room = into.size(), .used = 0};
  while (!parser_->is_done() && parser_->sink.used < into.size()) {
    ReadBuffer& buffer = connection_.buffer_;
    if (buffer.size() > 0) {
      boost::beast::error_code code;
      const std::size_t used = parser_->put(asio::const_buffer(buffer.view().data(), buffer.size()), code);
      buffer.consume(used);
      if (code == http::error::need_buffer) break;
      if (code && code != http::error::need_more) {
        broken_ = true;
        keep_alive_ = false;
        co_return fail(Errc::invalid_argument, "request body: " + code.message());
      }
      if (used > 0) continue;
    }
    if (parser_->sink.used > 0) break;
    if (buffer.size() > connection_.limits_.head_bytes_max) {  // a chunk header that never ends
      broken_ = true;
      keep_alive_ = false;
      co_return fail(Errc::invalid_argument, "request body: chunk header is too long");
    }
    SB_CO_TRY(const std::size_t got, co_await connection_.stream_->read_some(buffer.prepare(kReadBytes)));
    if (got == 0) co_return fail(body_ended());
    body_bytes_ += got;
    buffer.commit(got);
  }
  co_return parser_->sink.used;
}

bool ExchangeImpl::go_direct() {
  if (direct_left_) return true;
  if (connection_.buffer_.size() > 0 || parser_->chunked() || parser_->is_done()) return false;
  if (auto left = parser_->content_length_remaining()) direct_left_ = *left;
  return direct_left_.has_value();
}

// Before its end.
Error ExchangeImpl::body_ended() {
  broken_ = true;
  keep_alive_ = false;
  if (connection_.body_stalled_) return Error(Errc::timed_out, stall_text());
  body_cut_ = true;
  return Error(Errc::cancelled, "client closed the connection in the middle of the body");
}

std::string ExchangeImpl::stall_text() const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(connection_.limits_.body_stall_time);
  return "no byte of the request's body came for " + std::to_string(seconds.count()) + " s";
}

RawBody ExchangeImpl::raw_body() {
  if (!parser_ || broken_ || expects_continue_ || !go_direct()) return {};
  raw_ = true;
  return {.stream = connection_.stream_.get(), .left = &*direct_left_};
}

RawBody ExchangeImpl::raw_answer() {
  if (framing_ != Framing::length || !pending_head_.empty()) return {};
  return {.stream = connection_.stream_.get(), .left = &length_left_};
}

asio::awaitable<Result<std::size_t>> ExchangeImpl::read_direct(asio::mutable_buffer into) {
  if (*direct_left_ == 0) co_return std::size_t{0};
  const std::size_t room = std::min<std::uint64_t>(into.size(), *direct_left_);
  SB_CO_TRY(const std::size_t got, co_await connection_.stream_->read_some(asio::buffer(into.data(), room)));
  if (got == 0) co_return fail(body_ended());
  body_bytes_ += got;
  *direct_left_ -= got;
  co_return got;
}

bool ExchangeImpl::keep(std::size_t more_bytes) {
  std::size_t& all = connection_.kept_body_bytes_;
  if (all + more_bytes > connection_.limits_.kept_body_bytes_max) return false;
  all += more_bytes;
  kept_bytes_ += more_bytes;
  return true;
}

// Memory grows with what comes: announcing much and sending little holds nothing.
asio::awaitable<Result<std::string>> ExchangeImpl::read_all(std::size_t bytes_max) {
  const auto length = content_length();
  const auto too_large = [&] {
    return Error(Errc::too_large, "request body is larger than " + std::to_string(bytes_max) + " bytes");
  };
  if (length && *length > bytes_max) co_return fail(too_large());
  const std::size_t room_max = length ? *length : bytes_max + 1;
  std::string body;
  std::size_t done = 0;
  // The parser learns of the end of a known length only when asked once more after the last byte.
  while (!length || done < *length) {
    if (done == body.size()) {
      const std::size_t room = std::min(room_max, std::max(kReadBytes, 2 * done));
      if (!keep(room - done)) {
        keep_nothing();
        co_return fail(Errc::unavailable, "the bodies of all requests together take more than " +
                                              std::to_string(connection_.limits_.kept_body_bytes_max >> 20) +
                                              " MiB; try again when others have been answered");
      }
      body.resize(room);
    }
    SB_CO_TRY(const std::size_t got, co_await read_some(asio::buffer(body.data() + done, body.size() - done)));
    if (got == 0) break;
    done += got;
    if (done > bytes_max) {
      keep_nothing();
      co_return fail(too_large());
    }
  }
  body.resize(done);
  co_return body;
}

std::string ExchangeImpl::head_text(int status, std::string_view reason, const Headers& headers,
                                    std::optional<std::uint64_t> length) {
  // More than the connection would read past for the sake of the next request: who is told reads no promise into it.
  if (body_left() > kDrainBytesMax) keep_alive_ = false;
  std::string text;
  text.reserve(256);
  char number[24];
  auto append_number = [&](std::uint64_t value) {
    auto end = std::to_chars(number, number + sizeof number, value).ptr;
    text.append(number, end);
  };
  text += "HTTP/1.1 ";
  append_number(static_cast<std::uint64_t>(status));
  text += ' ';
  text += reason.empty() ? reason_phrase(status) : reason;
  text += "\r\n";
  for (const Header& header : headers) {
    text += header.name;
    text += ": ";
    text += header.value;
    text += "\r\n";
  }
  if (length) {
    text += "Content-Length: ";
    append_number(*length);
    text += "\r\n";
  }
  if (!keep_alive_ || connection_.stopping_) {
    text += "Connection: close\r\n";
  } else if (request().version_minor == 0) {
    text += "Connection: keep-alive\r\n";
  }
  text += "\r\n";
  return text;
}

asio::awaitable<Result<void>> ExchangeImpl::respond(Response response) {
  SB_ASSERT(status_sent_ == 0);
  // Whatever the handler makes of it.
  if (connection_.body_stalled_) {
    response = connection_.head_error_(408, stall_text());
    keep_alive_ = false;
  } else if (body_cut_) {
    // Handlers take it for a client that has gone and say nothing; one that ceased only to send still reads.
    response = connection_.head_error_(400, "the connection ended in the middle of the request's body");
  }
  status_sent_ = response.status;
  response.headers.remove("Content-Length");
  response.headers.remove("Connection");
  const bool no_body = status_has_no_body(response.status);
  std::optional<std::uint64_t> length;
  if (!no_body) length = response.body.size();
  const std::string head = head_text(response.status, {}, response.headers, length);
  Result<void> sent;
  if (no_body || is_head_ || response.body.empty()) {
    sent = co_await connection_.stream_->write(asio::buffer(head));
  } else {
    sent = co_await connection_.stream_->write2(asio::buffer(head), asio::buffer(response.body));
  }
  complete_ = sent.has_value();
  co_return sent;
}

std::string ExchangeImpl::begin(ResponseHead& head) {
  SB_ASSERT(status_sent_ == 0);
  status_sent_ = head.status;
  std::optional<std::uint64_t> length;
  if (auto text = head.headers.find("Content-Length")) {
    if (auto value = parse_integer(*text); value && *value >= 0) length = static_cast<std::uint64_t>(*value);
  }
  head.headers.remove("Content-Length");
  head.headers.remove("Connection");
  head.headers.remove("Transfer-Encoding");
  if (status_has_no_body(head.status) || is_head_) {
    framing_ = Framing::none;
    if (is_head_ && !length && !status_has_no_body(head.status)) head.headers.add("Transfer-Encoding", "chunked");
  } else if (length) {
    framing_ = Framing::length;
    length_left_ = *length;
  } else if (request().version_minor == 0) {
    framing_ = Framing::until_close;
    keep_alive_ = false;
  } else {
    framing_ = Framing::chunked;
    head.headers.add("Transfer-Encoding", "chunked");
  }
  if (status_has_no_body(head.status) && head.status != 304) length.reset();
  return head_text(head.status, head.reason, head.headers, length);
}

asio::awaitable<Result<void>> ExchangeImpl::start(ResponseHead head, std::string_view first) {
  std::string text = begin(head);
  if (first.empty() || framing_ == Framing::none) co_return co_await connection_.stream_->write(asio::buffer(text));
  pending_head_ = std::move(text);
  co_return co_await write(first);
}

asio::awaitable<Result<void>> ExchangeImpl::write(std::string_view piece) {
  if (piece.empty() || framing_ == Framing::none) co_return Result<void>{};
  if (framing_ == Framing::length) {
    if (piece.size() > length_left_) {
      keep_alive_ = false;
      co_return fail(Errc::internal, "answer is longer than its Content-Length");
    }
    length_left_ -= piece.size();
  }
  std::string before = std::exchange(pending_head_, {});
  if (framing_ != Framing::chunked) {
    if (before.empty()) co_return co_await connection_.stream_->write(asio::buffer(piece));
    co_return co_await connection_.stream_->write2(asio::buffer(before), asio::buffer(piece));
  }
  append_chunk_size(before, piece.size());
  if (piece.size() <= 16 * 1024) {  // one system call for what is small, no copy for what is large
    before.append(piece).append("\r\n");
    co_return co_await connection_.stream_->write(asio::buffer(before));
  }
  SB_CO_CHECK(co_await connection_.stream_->write2(asio::buffer(before), asio::buffer(piece)));
  constexpr std::string_view kEnd = "\r\n";
  co_return co_await connection_.stream_->write(asio::buffer(kEnd));
}

bool ExchangeImpl::answer_now(ResponseHead head, std::string_view body) {
  std::string text = begin(head);
  if (framing_ == Framing::none) body = {};
  if (framing_ == Framing::length) {
    SB_ASSERT(body.size() == length_left_);
    length_left_ = 0;
  }
  if (framing_ == Framing::chunked && !body.empty()) {
    append_chunk_size(text, body.size());
    text.append(body).append("\r\n");
    body = {};
  }
  if (framing_ == Framing::chunked) text += "0\r\n\r\n";
  const std::size_t sent = connection_.stream_->write_now(asio::buffer(text), asio::buffer(body));
  complete_ = sent == text.size() + body.size();
  if (complete_) return true;
  answered_now_ = true;
  pending_head_ = text.substr(std::min(sent, text.size()));
  pending_head_.append(body.substr(sent - std::min(sent, text.size())));
  return false;
}

asio::awaitable<Result<void>> ExchangeImpl::finish(Headers trailers) {
  if (answered_now_) {
    SB_CO_CHECK(co_await connection_.stream_->write(asio::buffer(pending_head_)));
    complete_ = true;
    co_return Result<void>{};
  }
  if (framing_ == Framing::length && length_left_ > 0) {
    keep_alive_ = false;
    co_return fail(Errc::internal, "answer is shorter than its Content-Length");
  }
  if (framing_ == Framing::chunked) {
    std::string end = "0\r\n";
    for (const Header& field : trailers) end.append(field.name).append(": ").append(field.value).append("\r\n");
    end += "\r\n";
    SB_CO_CHECK(co_await connection_.stream_->write(asio::buffer(end)));
  }
  complete_ = true;
  co_return Result<void>{};
}

asio::awaitable<void> ExchangeImpl::client_gone() {
  for (;;) {
    if (connection_.buffer_.size() >= kReadAheadMax || !connection_.stream_) {
      co_await sleep_for(std::chrono::hours(24));
      continue;
    }
    auto got = co_await connection_.stream_->read_some(connection_.buffer_.prepare(4096));
    if (!got || *got == 0) co_return;
    connection_.buffer_.commit(*got);
  }
}

bool ExchangeImpl::wants_websocket() const {
  const Headers& headers = request().headers;
  return request().method == "GET" && headers.has_token("Upgrade", "websocket") &&
         headers.has_token("Connection", "upgrade");
}

std::vector<std::string> ExchangeImpl::offered_subprotocols() const {
  std::vector<std::string> offered;
  for (const Header& header : request().headers) {
    if (!equals_ignore_case(header.name, "Sec-WebSocket-Protocol")) continue;
    for (std::string_view part : split(header.value, ',')) {
      if (!trim(part).empty()) offered.emplace_back(trim(part));
    }
  }
  return offered;
}

asio::awaitable<Result<std::unique_ptr<WebSocket>>> ExchangeImpl::accept_websocket(WebSocketOptions options) {
  if (!wants_websocket()) co_return fail(Errc::invalid_argument, "expected a WebSocket upgrade");
  if (request().headers.find("Sec-WebSocket-Version").value_or("") != "13") {
    co_return fail(Errc::invalid_argument, "unsupported WebSocket version");
  }
  const auto key = request().headers.find("Sec-WebSocket-Key");
  const auto nonce = key ? base64_decode(*key) : std::nullopt;
  if (!nonce || nonce->size() != 16) co_return fail(Errc::invalid_argument, "bad Sec-WebSocket-Key");
  if (connection_.buffer_.size() > 0) co_return fail(Errc::invalid_argument, "data before the WebSocket handshake");
  SB_CO_TRY(Socket socket, connection_.stream_->release_socket());
  connection_.stream_.reset();
  status_sent_ = 101;
  complete_ = true;
  co_return co_await accept_websocket_on(std::move(socket), std::string(*key), std::move(options));
}

std::unique_ptr<ByteStream> ExchangeImpl::take_stream(std::string& already_read) {
  already_read.assign(connection_.buffer_.view());
  connection_.buffer_.consume(connection_.buffer_.size());
  connection_.buffer_.release_if_empty();
  status_sent_ = -1;
  complete_ = true;
  return std::move(connection_.stream_);
}

}  // namespace sebring::net
