#include "proxy/http2.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <unordered_map>

#include "base/text.h"
#include "base/time.h"
#include "proxy/http2_stream.h"

namespace sebring::proxy {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
// What one system call (and one TLS record or two) takes.
constexpr std::size_t kWriteBytes = 32 * 1024;
// A client may reset what it asked for. Each costs the server behind a connection: so many at once, then so many a
// second, then the connection ends.
constexpr std::uint64_t kResetBurst = 200;
constexpr std::uint64_t kResetsPerSecond = 20;
// Requests that still run, those included whose streams the client has reset. Above it new streams are refused.
constexpr std::size_t kRunningPerStreamMax = 2;
// How far above the limit a head is still decoded, to answer 431; a bomb ends the connection.
constexpr std::size_t kBombFactor = 4;
constexpr std::size_t kKeptConnections = 16;

nghttp2_nv field_of(std::string_view name, std::string_view value) {
  // Copied by the library: no flags.
  return {.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          .value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = NGHTTP2_NV_FLAG_NONE};
}

// Fields of HTTP/1.1 that mean nothing here, or would break a client.
bool belongs_to_connection(std::string_view name) {
  for (std::string_view other : {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    if (equals_ignore_case(name, other)) return true;
  }
  return false;
}

bool is_silent(net::ClientConnection& connection) {
  net::ByteStream* stream = connection.stream();
  char byte;
  return stream && ::recv(stream->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

class Session final : public Http2Host, public std::enable_shared_from_this<Session> {
 public:
  Session(asio::any_io_executor executor, Http2Connect connect, Http2Limits limits)
      : executor_(executor), connect_(std::move(connect)), limits_(limits), work_(executor) {}
  ~Session() override { ::nghttp2_session_del(session_); }

  bool start();
  asio::awaitable<void> serve(Http2Wire& wire);
  void end();

  std::unique_ptr<net::ClientConnection> take_connection() override;
  void give_back(std::unique_ptr<net::ClientConnection> connection) override;
  void send_head(std::int32_t stream, const net::ResponseHead& head, bool bodiless) override;
  void resume(std::int32_t stream) override;
  void reset(std::int32_t stream, std::uint32_t error) override;
  void consumed(std::int32_t stream, std::size_t bytes) override;

 private:
  using Frame = nghttp2_frame;
  static Session& of(void* self) { return *static_cast<Session*>(self); }
  static int on_begin_headers(nghttp2_session*, const Frame* frame, void* self);
  static int on_header(nghttp2_session*, const Frame* frame, const std::uint8_t* name, std::size_t name_length,
                       const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* self);
  // A field that can not be is left out by the library unless told otherwise, and the request with it is another one.
  static int on_invalid_header(nghttp2_session*, const Frame*, const std::uint8_t*, std::size_t, const std::uint8_t*,
                               std::size_t, std::uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int on_frame(nghttp2_session*, const Frame* frame, void* self);
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t length,
                     void* self);
  static int on_sent(nghttp2_session*, const Frame* frame, void* self);
  static int on_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* self);
  static ssize_t read_answer(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source*, void* self);
  Http2Stream* find(std::int32_t id) {
    auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second.get();
  }
  int add_field(Http2Stream& stream, std::string_view name, std::string_view value);
  void submit_trailers(std::int32_t id, const net::Headers& trailers);
  void begin_requests();
  asio::awaitable<void> reading(Http2Wire& wire);
  asio::awaitable<void> writing(Http2Wire& wire);
  asio::awaitable<void> watching();
  void reset_stalled(Steady::time_point now);
  static asio::awaitable<void> request(std::shared_ptr<Session> self, std::shared_ptr<Http2Stream> stream);

  asio::any_io_executor executor_;
  Http2Connect connect_;
  Http2Limits limits_;
  nghttp2_session* session_ = nullptr;
  bool ended_ = false;
  std::unordered_map<std::int32_t, std::shared_ptr<Http2Stream>> streams_;
  std::vector<std::shared_ptr<Http2Stream>> asked_;  // heads that came with the last read
  std::vector<std::unique_ptr<net::ClientConnection>> kept_;
  std::size_t running_ = 0;
  Signal work_;  // there may be something to write
  std::optional<Steady::time_point> head_since_;
  Steady::time_point idle_since_ = Steady::now();
};

bool Session::start() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* options = nullptr;
  if (::nghttp2_session_callbacks_new(&callbacks) != 0 || ::nghttp2_option_new(&options) != 0) return false;
  ::nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  ::nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  ::nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
  ::nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  ::nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  ::nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
  ::nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_closed);
  ::nghttp2_option_set_no_auto_window_update(options, 1);
  ::nghttp2_option_set_stream_reset_rate_limit(options, kResetBurst, kResetsPerSecond);
  ::nghttp2_option_set_max_settings(options, 32);
  ::nghttp2_option_set_max_outbound_ack(options, 200);
  const int made = ::nghttp2_session_server_new2(&session_, callbacks, this, options);
  ::nghttp2_session_callbacks_del(callbacks);
  ::nghttp2_option_del(options);
  if (made != 0) return false;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.head_bytes_max)},
  };
  return ::nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0 &&
         ::nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, limits_.connection_window) == 0;
}

// --- what the client sends ------------------------------------------------------------------------------------------

int Session::on_begin_headers(nghttp2_session*, const Frame* frame, void* self) {
  Session& session = of(self);
  if (!session.head_since_) session.head_since_ = Steady::now();
  if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  const std::int32_t id = frame->hd.stream_id;
  session.streams_[id] = std::make_shared<Http2Stream>(session.executor_, id);
  return 0;
}

int Session::on_header(nghttp2_session*, const Frame* frame, const std::uint8_t* name, std::size_t name_length,
                       const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* self) {
  Session& session = of(self);
  Http2Stream* stream = session.find(frame->hd.stream_id);
  if (!stream || stream->head_done) return 0;  // trailers of a request go nowhere, as in HTTP/1.1
  return session.add_field(*stream, {reinterpret_cast<const char*>(name), name_length},
                           {reinterpret_cast<const char*>(value), value_length});
}

int Session::add_field(Http2Stream& stream, std::string_view name, std::string_view value) {
  stream.head_bytes += name.size() + value.size() + 32;  // RFC 9113 6.5.2
  if (stream.head_bytes > kBombFactor * limits_.head_bytes_max) return NGHTTP2_ERR_CALLBACK_FAILURE;
  if (stream.head_bytes > limits_.head_bytes_max) return 0;
  if (name == ":method") {
    stream.head.method = value;
  } else if (name == ":path") {
    stream.head.target = value;
  } else if (name == ":authority") {
    stream.authority = value;
  } else if (name == "cookie") {
    if (!stream.cookies.empty()) stream.cookies += "; ";
    stream.cookies += value;
  } else if (!name.starts_with(':')) {
    stream.head.headers.add(std::string(name), std::string(value));
  } else if (name != ":scheme") {
    stream.bad = true;
  }
  return 0;
}

int Session::on_frame(nghttp2_session*, const Frame* frame, void* self) {
  Session& session = of(self);
  const bool head = frame->hd.type == NGHTTP2_HEADERS;
  if (head) session.head_since_.reset();
  if (!head && frame->hd.type != NGHTTP2_DATA) return 0;
  Http2Stream* stream = session.find(frame->hd.stream_id);
  if (!stream) return 0;
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    stream->body_ended = true;
    stream->body_came.set();
  }
  if (head && !stream->head_done) {
    stream->head_done = true;
    session.asked_.push_back(session.streams_[stream->id]);
  }
  return 0;
}

int Session::on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t length,
                     void* self) {
  Http2Stream* stream = of(self).find(id);
  if (stream) {
    stream->body.append(reinterpret_cast<const char*>(data), length);
    stream->body_came.set();
  } else {
    ::nghttp2_session_consume_connection(of(self).session_, length);
  }
  return 0;
}

int Session::on_closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* self) {
  Session& session = of(self);
  auto found = session.streams_.find(id);
  if (found == session.streams_.end()) return 0;
  const auto stream = std::move(found->second);
  session.streams_.erase(found);
  session.head_since_.reset();  // a head that was refused has no end
  session.idle_since_ = Steady::now();
  // What nobody will take any more must not narrow the whole connection for ever.
  ::nghttp2_session_consume_connection(session.session_, stream->body.size());
  stream->body.clear();
  stream->close();
  return 0;
}

// The new requests are begun behind the library's back: it is in the middle of a read while it calls.
void Session::begin_requests() {
  for (auto& stream : std::exchange(asked_, {})) {
    if (stream->closed) continue;
    if (running_ >= kRunningPerStreamMax * limits_.streams_max) {
      reset(stream->id, NGHTTP2_REFUSED_STREAM);
      continue;
    }
    ++running_;
    asio::co_spawn(executor_, request(shared_from_this(), std::move(stream)), asio::detached);
  }
}

asio::awaitable<void> Session::request(std::shared_ptr<Session> self, std::shared_ptr<Http2Stream> stream) {
  try {
    co_await run_stream(*self, stream, self->limits_.head_bytes_max);
  } catch (const std::exception&) {
    self->reset(stream->id, NGHTTP2_INTERNAL_ERROR);
  }
  --self->running_;
}

// --- what it gets ---------------------------------------------------------------------------------------------------

std::unique_ptr<net::ClientConnection> Session::take_connection() {
  while (!kept_.empty()) {
    auto connection = std::move(kept_.back());
    kept_.pop_back();
    if (is_silent(*connection)) return connection;
  }
  auto stream = ended_ ? nullptr : connect_();
  return stream ? net::make_client_connection(std::move(stream)) : nullptr;
}

void Session::give_back(std::unique_ptr<net::ClientConnection> connection) {
  if (ended_ || !connection->reusable() || kept_.size() >= kKeptConnections) return;
  connection->rest();
  kept_.push_back(std::move(connection));
}

void Session::send_head(std::int32_t id, const net::ResponseHead& head, bool bodiless) {
  if (ended_ || !find(id)) return;
  const std::string status = std::to_string(head.status);
  std::vector<std::string> names;  // lower case, as HTTP/2 wants them; their memory must not move
  names.reserve(16);
  for (const net::Header& field : head.headers) {
    if (!belongs_to_connection(field.name)) names.push_back(to_lower(field.name));
  }
  std::vector<nghttp2_nv> fields{field_of(":status", status)};
  std::size_t next = 0;
  for (const net::Header& field : head.headers) {
    if (!belongs_to_connection(field.name)) fields.push_back(field_of(names[next++], field.value));
  }
  const nghttp2_data_provider body{.source = {}, .read_callback = read_answer};
  if (::nghttp2_submit_response(session_, id, fields.data(), fields.size(), bodiless ? nullptr : &body) != 0) {
    return reset(id, NGHTTP2_INTERNAL_ERROR);
  }
  work_.set();
}

ssize_t Session::read_answer(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t room,
                             std::uint32_t* flags, nghttp2_data_source*, void* self) {
  Session& session = of(self);
  Http2Stream* stream = session.find(id);
  if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const std::size_t left = stream->answer.size() - stream->answer_sent;
  const std::size_t count = std::min(left, room);
  if (count == 0 && !stream->answer_ended) return NGHTTP2_ERR_DEFERRED;
  stream->answer.copy(reinterpret_cast<char*>(into), count, stream->answer_sent);
  stream->answer_sent += count;
  stream->answer_moved = Steady::now();
  if (stream->answer_sent == stream->answer.size()) {
    stream->answer.clear();
    stream->answer_sent = 0;
    if (stream->answer_ended) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream->trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        session.submit_trailers(id, stream->trailers);
      }
    }
  }
  stream->answer_went.set();
  return static_cast<ssize_t>(count);
}

void Session::submit_trailers(std::int32_t id, const net::Headers& trailers) {
  std::vector<std::string> names;
  for (const net::Header& field : trailers) names.push_back(to_lower(field.name));
  std::vector<nghttp2_nv> fields;
  std::size_t next = 0;
  for (const net::Header& field : trailers) fields.push_back(field_of(names[next++], field.value));
  ::nghttp2_submit_trailer(session_, id, fields.data(), fields.size());
}

// An answer that came before the whole request: the client need not send the rest.
int Session::on_sent(nghttp2_session*, const Frame* frame, void* self) {
  const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (!carries || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  Http2Stream* stream = of(self).find(frame->hd.stream_id);
  if (stream && !stream->body_ended) of(self).reset(stream->id, NGHTTP2_NO_ERROR);
  return 0;
}

void Session::resume(std::int32_t id) {
  if (ended_ || !find(id)) return;
  (void)::nghttp2_session_resume_data(session_, id);  // fails when nothing was deferred, which is as good
  work_.set();
}

void Session::reset(std::int32_t id, std::uint32_t error) {
  if (ended_) return;
  (void)::nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error);
  work_.set();
}

void Session::consumed(std::int32_t id, std::size_t bytes) {
  if (ended_) return;
  (void)::nghttp2_session_consume(session_, id, bytes);
  work_.set();
}

// --- the connection -------------------------------------------------------------------------------------------------

asio::awaitable<void> Session::reading(Http2Wire& wire) {
  const auto memory = std::make_unique_for_overwrite<char[]>(kReadBytes);
  for (;;) {
    const std::size_t got = co_await wire.read(asio::buffer(memory.get(), kReadBytes));
    if (got == 0) co_return;
    const ssize_t used = ::nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(memory.get()), got);
    if (used < 0) {
      (void)::nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
      work_.set();
      co_await net::sleep_for(std::chrono::seconds(1));  // the writer ends the connection when that is out
      co_return;
    }
    begin_requests();
    work_.set();
  }
}

asio::awaitable<void> Session::writing(Http2Wire& wire) {
  std::string out;
  for (;;) {
    out.clear();
    const std::uint8_t* data = nullptr;
    ssize_t length = 0;
    while (out.size() < kWriteBytes && (length = ::nghttp2_session_mem_send(session_, &data)) > 0) {
      out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(length));
    }
    if (length < 0) co_return;
    if (!out.empty()) {
      if (!co_await wire.write(asio::buffer(out))) co_return;
      continue;
    }
    if (!::nghttp2_session_want_read(session_) && !::nghttp2_session_want_write(session_)) co_return;
    std::string().swap(out);  // an idle connection holds no buffer
    co_await work_.wait();
  }
}

void Session::reset_stalled(Steady::time_point now) {
  std::vector<std::int32_t> stalled;
  for (auto& [id, stream] : streams_) {
    if (stream->answer.size() == stream->answer_sent) stream->answer_moved = now;
    if (now - stream->answer_moved > limits_.stall_time) stalled.push_back(id);
  }
  for (std::int32_t id : stalled) reset(id, NGHTTP2_CANCEL);
}

asio::awaitable<void> Session::watching() {
  for (;;) {
    if (!co_await net::sleep_for(limits_.look_every)) co_return;
    const auto now = Steady::now();
    reset_stalled(now);
    if (head_since_ && now - *head_since_ > limits_.head_time) co_return;
    if (streams_.empty() && now - idle_since_ > limits_.idle_time) co_return;
  }
}

asio::awaitable<void> Session::serve(Http2Wire& wire) {
  using asio::experimental::awaitable_operators::operator||;
  co_await (reading(wire) || writing(wire) || watching());
}

void Session::end() {
  ended_ = true;
  for (auto& [id, stream] : std::exchange(streams_, {})) stream->close();
  kept_.clear();
}

}  // namespace

asio::awaitable<void> serve_http2(Http2Wire& wire, Http2Connect connect, Http2Limits limits) {
  auto session = std::make_shared<Session>(co_await asio::this_coro::executor, std::move(connect), limits);
  if (session->start()) co_await session->serve(wire);
  session->end();
}

}  // namespace sebring::proxy
