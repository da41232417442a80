#include "net/client.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <charconv>

#include "base/text.h"
#include "base/time.h"
#include "net/http_parser.h"
#include "net/read_buffer.h"

namespace sebring::net {
namespace {

constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kHeadReadBytes = 8 * 1024;
constexpr std::size_t kUsualHeadBytes = 1024;
// A server that says more often that it is still at work keeps us at work too.
constexpr int kInterimMax = 100;

class ClientConnectionImpl final : public ClientConnection {
 public:
  explicit ClientConnectionImpl(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

  asio::awaitable<Result<void>> send_head(const RequestHead& head) override {
    queue_head(head);
    // A head without a body goes at once; with one it travels with the first piece.
    if (!chunked_ && head.headers.find("Content-Length").value_or("0") == "0") co_return co_await flush({});
    co_return Result<void>{};
  }

  asio::awaitable<Result<void>> send_body(std::string_view piece) override {
    if (piece.empty()) co_return Result<void>{};
    if (!chunked_) co_return co_await flush(piece);
    char size[20];
    auto end = std::to_chars(size, size + 16, piece.size(), 16).ptr;
    pending_.append(size, end).append("\r\n");
    SB_CO_CHECK(co_await flush(piece));
    pending_ = "\r\n";
    co_return Result<void>{};
  }

  asio::awaitable<Result<void>> finish_body() override {
    if (chunked_) pending_ += "0\r\n\r\n";
    co_return co_await flush({});
  }

  bool ask_now(const RequestHead& head) override {
    queue_head(head);
    pending_.erase(0, stream_->write_now(asio::buffer(pending_)));
    return pending_.empty();
  }

  bool ask_now(std::string_view head) override {
    chunked_ = said_close_ = false;
    parser_.reset();
    direct_left_.reset();
    const std::size_t sent = stream_->write_now(asio::buffer(head));
    pending_.assign(head.substr(sent));
    return pending_.empty();
  }
  ReadBuffer& answer_bytes() override { return buffer_; }
  void took_answer(std::size_t bytes) override {
    buffer_.consume(bytes);
    direct_left_ = 0;
  }

  asio::awaitable<Result<ResponseHead>> read_head(bool head_only) override {
    direct_left_.reset();
    for (int interim = 0; interim <= kInterimMax; ++interim) {
      parser_ = std::make_unique<ResponseParser>();
      parser_->skip(head_only);
      while (!parser_->is_header_done()) {
        if (buffer_.size() > 0) {
          boost::beast::error_code code;
          buffer_.consume(parser_->put(asio::const_buffer(buffer_.view().data(), buffer_.size()), code));
          if (code && code != http::error::need_more)
            co_return fail(Errc::bad_gateway, "bad answer: " + code.message());
          if (parser_->is_header_done()) break;
          if (buffer_.size() > kHeadBytesMax) co_return fail(Errc::bad_gateway, "head of the answer is too long");
        }
        SB_CO_TRY(const std::size_t got, co_await stream_->read_some(buffer_.prepare(kHeadReadBytes)));
        if (got == 0) co_return fail(Errc::unavailable, "server closed the connection before it answered");
        buffer_.commit(got);
      }
      if (parser_->head.status >= 200 || parser_->head.status == 101) break;
    }
    if (parser_->head.status < 200 && parser_->head.status != 101)
      co_return fail(Errc::bad_gateway, "too many interim answers");
    if (parser_->head.headers.has_token("Connection", "close")) said_close_ = true;
    if (parser_->head.version_minor == 0) said_close_ = true;
    co_return std::move(parser_->head);  // the parser itself needs it no more
  }

  asio::awaitable<Result<std::size_t>> read_body(asio::mutable_buffer into) override {
    if (go_direct()) co_return co_await read_direct(into);
    parser_->sink = {.data = static_cast<char*>(into.data()), .room = into.size(), .used = 0};
    while (!parser_->is_done() && parser_->sink.used < into.size()) {
      boost::beast::error_code code;
      if (buffer_.size() > 0) {
        const std::size_t used = parser_->put(asio::const_buffer(buffer_.view().data(), buffer_.size()), code);
        buffer_.consume(used);
        if (code == http::error::need_buffer) break;
        if (code && code != http::error::need_more) co_return fail(Errc::bad_gateway, "bad answer: " + code.message());
        if (used > 0) continue;
      }
      if (parser_->sink.used > 0) break;
      if (buffer_.size() > kHeadBytesMax) co_return fail(Errc::bad_gateway, "chunk header is too long");
      SB_CO_TRY(const std::size_t got, co_await stream_->read_some(buffer_.prepare(kReadBytes)));
      if (got == 0) {
        said_close_ = true;
        code = {};
        parser_->put_eof(code);
        if (code) co_return fail(Errc::bad_gateway, "answer was cut");
        break;
      }
      buffer_.commit(got);
    }
    co_return parser_->sink.used;
  }

  const Headers& trailers() const override {
    static const Headers kNone;
    return parser_ ? parser_->trailers : kNone;
  }
  bool body_read() const override { return direct_left_ ? *direct_left_ == 0 : parser_ && parser_->is_done(); }
  RawBody raw_body() override {
    if (!stream_ || !parser_ || !go_direct()) return {};
    return {.stream = stream_.get(), .left = &*direct_left_};
  }
  RawBody raw_request() override {
    if (!stream_ || chunked_ || !pending_.empty()) return {};
    return {.stream = stream_.get(), .left = nullptr};
  }
  bool has_buffered() const override { return buffer_.size() > 0; }
  void rest() override {
    buffer_.release_if_empty();
    parser_.reset();
    if (pending_.capacity() > kUsualHeadBytes) pending_ = {};
  }
  ByteStream* stream() override { return stream_.get(); }
  bool reusable() const override {
    return stream_ && !said_close_ && body_read() && buffer_.size() == 0 && pending_.empty();
  }
  std::unique_ptr<ByteStream> take_stream(std::string& already_read) override {
    already_read.assign(buffer_.view());
    return std::move(stream_);
  }
  void close() override {
    if (stream_) stream_->close();
  }

 private:
  void queue_head(const RequestHead& head) {
    chunked_ = head.headers.has_token("Transfer-Encoding", "chunked");
    parser_.reset();
    direct_left_.reset();
    said_close_ = head.headers.has_token("Connection", "close");
    pending_.clear();
    pending_.reserve(kUsualHeadBytes);
    pending_.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
    if (!head.headers.find("Host")) pending_ += "Host: localhost\r\n";
    for (const Header& header : head.headers) {
      pending_.append(header.name).append(": ").append(header.value).append("\r\n");
    }
    pending_ += "\r\n";
  }
  bool go_direct() {
    if (direct_left_) return true;
    if (buffer_.size() > 0 || parser_->chunked() || parser_->is_done()) return false;
    if (auto left = parser_->content_length_remaining()) direct_left_ = *left;
    return direct_left_.has_value();
  }
  // A body of known length goes from the stream straight into the caller's memory.
  asio::awaitable<Result<std::size_t>> read_direct(asio::mutable_buffer into) {
    if (*direct_left_ == 0) co_return std::size_t{0};
    const std::size_t room = std::min<std::uint64_t>(into.size(), *direct_left_);
    SB_CO_TRY(const std::size_t got, co_await stream_->read_some(asio::buffer(into.data(), room)));
    if (got == 0) co_return fail(Errc::bad_gateway, "answer was cut");
    *direct_left_ -= got;
    co_return got;
  }

  asio::awaitable<Result<void>> flush(std::string_view piece) {
    Result<void> sent;
    if (piece.empty() && pending_.empty()) co_return sent;
    if (piece.empty()) {
      sent = co_await stream_->write(asio::buffer(pending_));
    } else if (pending_.empty()) {
      sent = co_await stream_->write(asio::buffer(piece));
    } else {
      sent = co_await stream_->write2(asio::buffer(pending_), asio::buffer(piece));
    }
    pending_.clear();
    co_return sent;
  }

  std::unique_ptr<ByteStream> stream_;
  ReadBuffer buffer_;
  std::unique_ptr<ResponseParser> parser_;
  std::string pending_;  // written with the next piece
  bool chunked_ = false;
  bool said_close_ = false;
  std::optional<std::uint64_t> direct_left_;
};

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

}  // namespace

std::unique_ptr<ClientConnection> make_client_connection(std::unique_ptr<ByteStream> stream) {
  return std::make_unique<ClientConnectionImpl>(std::move(stream));
}

struct Client::State {
  Connect connect;
  std::size_t idle_max;
  std::vector<std::unique_ptr<ClientConnection>> idle;

  struct Asked {
    Result<Response> response;
    bool answered = false;  // whether any byte of an answer came
  };

  static asio::awaitable<Asked> ask_on(ClientConnection& connection, const RequestHead& head, std::string_view body,
                                       std::size_t body_bytes_max) {
    Asked asked{.response = Response{}};
    auto sent = co_await connection.send_head(head);
    if (sent && !body.empty()) sent = co_await connection.send_body(body);
    if (sent) sent = co_await connection.finish_body();
    if (!sent) {
      asked.response = fail(std::move(sent.error()));
      co_return asked;
    }
    auto answer = co_await connection.read_head(head.method == "HEAD");
    if (!answer) {
      asked.answered = answer.error().code() == Errc::bad_gateway;
      asked.response = fail(std::move(answer.error()));
      co_return asked;
    }
    asked.answered = true;
    Response response{.status = answer->status, .headers = std::move(answer->headers), .body = {}};
    for (;;) {
      const std::size_t before = response.body.size();
      response.body.resize(before + kReadBytes);
      auto got = co_await connection.read_body(asio::buffer(response.body.data() + before, kReadBytes));
      if (!got) {
        asked.response = fail(std::move(got.error()));
        co_return asked;
      }
      response.body.resize(before + *got);
      if (*got == 0) break;
      if (response.body.size() > body_bytes_max) {
        asked.response = fail(Errc::too_large, "answer is larger than " + std::to_string(body_bytes_max) + " bytes");
        co_return asked;
      }
    }
    asked.response = std::move(response);
    co_return asked;
  }

  static asio::awaitable<Result<Response>> ask(std::shared_ptr<State> self, RequestHead head, std::string body,
                                               std::size_t body_bytes_max) {
    for (;;) {
      std::unique_ptr<ClientConnection> connection;
      bool reused = false;
      if (!self->idle.empty()) {
        connection = std::move(self->idle.back());
        self->idle.pop_back();
        reused = true;
      } else {
        SB_CO_TRY(auto stream, co_await self->connect());
        connection = make_client_connection(std::move(stream));
      }
      Asked asked = co_await ask_on(*connection, head, body, body_bytes_max);
      if (asked.response && connection->reusable() && self->idle.size() < self->idle_max) {
        self->idle.push_back(std::move(connection));
      }
      if (!asked.response && reused && !asked.answered) self->idle.clear();  // as old as the one that failed
      if (asked.response || !reused || asked.answered || !is_idempotent(head.method))
        co_return std::move(asked.response);
    }
  }
};

Client::Client(Connect connect, std::size_t idle_max) : state_(std::make_shared<State>(std::move(connect), idle_max)) {}
Client::~Client() = default;

asio::awaitable<Result<Response>> Client::ask(std::string method, std::string target, Headers headers, std::string body,
                                              std::chrono::milliseconds deadline, std::size_t body_bytes_max) {
  using asio::experimental::awaitable_operators::operator||;
  RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.headers = std::move(headers);
  if (!body.empty() || head.method == "POST" || head.method == "PUT" || head.method == "PATCH") {
    head.headers.set("Content-Length", std::to_string(body.size()));
  }
  const std::string what = head.method + " " + head.target;
  auto outcome = co_await (State::ask(state_, std::move(head), std::move(body), body_bytes_max) || sleep_for(deadline));
  if (outcome.index() == 1) {
    co_return fail(Errc::timed_out, what + ": no answer within " + std::to_string(deadline.count()) + " ms");
  }
  auto result = std::move(std::get<0>(outcome));
  if (!result) co_return fail(std::move(result.error()).while_doing(what));
  co_return result;
}

asio::awaitable<Result<std::unique_ptr<ClientConnection>>> Client::take() {
  auto state = state_;
  if (!state->idle.empty()) {
    auto connection = std::move(state->idle.back());
    state->idle.pop_back();
    co_return connection;
  }
  SB_CO_TRY(auto stream, co_await state->connect());
  co_return make_client_connection(std::move(stream));
}

void Client::give_back(std::unique_ptr<ClientConnection> connection) {
  if (connection && connection->reusable() && state_->idle.size() < state_->idle_max) {
    state_->idle.push_back(std::move(connection));
  }
}

}  // namespace sebring::net
