#include "proxy/http2_stream.h"

#include <nghttp2/nghttp2.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/text.h"

namespace sebring::proxy {
namespace {

// Of an answer that the client does not take yet.
constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr std::size_t kPieceBytes = 32 * 1024;

bool is_plain_text(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// Bytes that would end a request line early must never reach one.
bool is_target(std::string_view text) {
  if (!text.starts_with('/') && text != "*") return false;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F) return false;
  }
  return true;
}

// The head as HTTP/1.1 says it; false when it can not be said there.
bool finish_head(Http2Stream& stream) {
  net::RequestHead& head = stream.head;
  if (stream.bad || head.method.empty() || head.method == "CONNECT" || !is_target(head.target)) return false;
  if (!is_plain_text(head.method) || head.method.find(' ') != std::string::npos) return false;
  const auto host = head.headers.find("host");
  if (stream.authority.empty() && host) stream.authority = *host;
  // Two names of one place are what request smuggling is made of.
  if (stream.authority.empty() || (host && !equals_ignore_case(*host, stream.authority))) return false;
  net::Headers headers;
  headers.add("Host", stream.authority);
  for (const net::Header& field : head.headers) {
    if (!is_plain_text(field.name) || !is_plain_text(field.value)) return false;
    for (std::string_view name : {"host", "connection", "upgrade", "keep-alive", "proxy-connection", "te", "expect",
                                  "transfer-encoding", "http2-settings", "trailer"}) {
      if (field.name == name) goto next;
    }
    headers.add(field.name, field.value);
  next:;
  }
  if (!is_plain_text(stream.cookies) || !is_plain_text(stream.authority)) return false;
  if (!stream.cookies.empty()) headers.add("Cookie", stream.cookies);
  const bool has_length = headers.find("Content-Length").has_value();
  if (!stream.body_ended && !has_length) headers.add("Transfer-Encoding", "chunked");
  head.headers = std::move(headers);
  return true;
}

class Runner {
 public:
  Runner(Http2Host& host, std::shared_ptr<Http2Stream> stream) : host_(host), stream_(std::move(stream)) {}

  asio::awaitable<void> run() {
    using asio::experimental::awaitable_operators::operator||;
    server_ = host_.take_connection();
    if (!server_) co_return host_.reset(stream_->id, NGHTTP2_REFUSED_STREAM);
    stream_->server = server_.get();
    if (co_await server_->send_head(stream_->head)) co_await (answer() || upload());
    stream_->server = nullptr;
    if (stream_->closed) co_return;
    if (!ended_) co_return host_.reset(stream_->id, NGHTTP2_INTERNAL_ERROR);
    if (asked_) host_.give_back(std::move(server_));
  }

 private:
  // Never returns before the answer has: `||` would end it.
  asio::awaitable<void> upload() {
    while (!stream_->closed) {
      if (!stream_->body.empty()) {
        const std::string piece = std::exchange(stream_->body, {});
        // Said before it is sent: nobody comes back here when the answer ends first. What follows is taken after that.
        host_.consumed(stream_->id, piece.size());
        if (!co_await server_->send_body(piece)) break;  // it may have answered before
      } else if (stream_->body_ended) {
        asked_ = (co_await server_->finish_body()).has_value();
        break;
      } else {
        co_await stream_->body_came.wait();
      }
    }
    for (;;) co_await net::sleep_for(std::chrono::hours(24));
  }

  asio::awaitable<void> answer() {
    auto head = co_await server_->read_head(stream_->head.method == "HEAD");
    if (!head || stream_->closed || head->status == 101) co_return;
    const bool bodiless = stream_->head.method == "HEAD" || head->status == 204 || head->status == 304 ||
                          head->headers.find("Content-Length").value_or("") == "0";
    host_.send_head(stream_->id, *head, bodiless);
    if (bodiless) {
      ended_ = true;
      co_return;
    }
    std::string memory(kPieceBytes, '\0');
    while (!stream_->closed) {
      while (!stream_->closed && stream_->answer.size() - stream_->answer_sent >= kAnswerBytesMax) {
        co_await stream_->answer_went.wait();
      }
      auto got = co_await server_->read_body(asio::buffer(memory));
      if (!got || stream_->closed) co_return;
      if (*got == 0) break;
      stream_->answer.append(memory, 0, *got);
      if (!server_->body_read()) host_.resume(stream_->id);
    }
    if (stream_->closed) co_return;
    stream_->trailers = server_->trailers();
    stream_->answer_ended = ended_ = true;
    host_.resume(stream_->id);
  }

  Http2Host& host_;
  std::shared_ptr<Http2Stream> stream_;
  std::unique_ptr<net::ClientConnection> server_;
  bool asked_ = false;  // the whole request
  bool ended_ = false;  // the whole answer
};

void refuse(Http2Host& host, const Http2Stream& stream, int status) {
  net::ResponseHead head{.status = status, .reason = {}, .headers = {}};
  head.headers.add("content-length", "0");
  host.send_head(stream.id, head, true);
}

}  // namespace

void Signal::set() {
  set_ = true;
  timer_.cancel();
}

asio::awaitable<void> Signal::wait() {
  if (!std::exchange(set_, false)) {
    timer_.expires_at(asio::steady_timer::time_point::max());
    (void)co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    set_ = false;
  }
}

void Http2Stream::close() {
  closed = true;
  if (server) server->close();
  body_came.set();
  answer_went.set();
}

asio::awaitable<void> run_stream(Http2Host& host, std::shared_ptr<Http2Stream> stream, std::size_t head_bytes_max) {
  if (stream->closed) co_return;
  if (stream->head_bytes > head_bytes_max) co_return refuse(host, *stream, 431);
  if (!finish_head(*stream)) co_return refuse(host, *stream, 400);
  Runner runner(host, std::move(stream));
  co_await runner.run();
}

}  // namespace sebring::proxy
