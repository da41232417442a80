#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "net/client.h"
#include "net/websocket_impl.h"

namespace sebring::net {
namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kHandshakeTime{30};
constexpr std::chrono::seconds kCloseTime{5};
using Stream = websocket::stream<Socket, false>;  // no permessage-deflate: memory per connection, and nobody insists

class WebSocketImpl final : public WebSocket {
 public:
  explicit WebSocketImpl(Socket socket) : stream_(std::move(socket)) {}

  void configure(std::size_t message_bytes_max) {
    stream_.read_message_max(message_bytes_max);
    stream_.auto_fragment(false);
    stream_.set_option(websocket::stream_base::timeout{kHandshakeTime, websocket::stream_base::none(), false});
  }
  Stream& stream() { return stream_; }

  asio::awaitable<Result<std::optional<Message>>> read() override {
    beast::flat_buffer buffer;
    auto [code, bytes] = co_await stream_.async_read(buffer, kToken);
    if (code == websocket::error::closed || code == asio::error::eof || code == asio::error::connection_reset) {
      co_return std::optional<Message>{};
    }
    if (code == websocket::error::message_too_big || code == websocket::error::buffer_overflow) {
      co_return fail(Errc::too_large, "WebSocket message is too large");
    }
    if (code == asio::error::operation_aborted) co_return fail(Errc::cancelled, "WebSocket read: cancelled");
    if (code) co_return fail(Errc::invalid_argument, "WebSocket read: " + code.message());
    Message message{.text = stream_.got_text(), .data = {}};
    message.data.assign(static_cast<const char*>(buffer.data().data()), bytes);
    co_return std::optional<Message>(std::move(message));
  }

  asio::awaitable<Result<void>> send_text(std::string_view text) override {
    stream_.text(true);
    co_return co_await send(text);
  }
  asio::awaitable<Result<void>> send_binary(std::string_view bytes) override {
    stream_.binary(true);
    co_return co_await send(bytes);
  }

  asio::awaitable<void> close(std::uint16_t code, std::string reason) override {
    using asio::experimental::awaitable_operators::operator||;
    co_await (close_handshake(code, std::move(reason)) || sleep_for(kCloseTime));
    abort();
  }

  void abort() override {
    boost::system::error_code ignored;
    stream_.next_layer().close(ignored);
  }
  std::uint16_t close_code() const override {
    return stream_.reason().code == 0 ? 1005 : static_cast<std::uint16_t>(stream_.reason().code);
  }

 private:
  asio::awaitable<Result<void>> send(std::string_view data) {
    auto [code, bytes] = co_await stream_.async_write(asio::buffer(data), kToken);
    if (code == asio::error::operation_aborted) co_return fail(Errc::cancelled, "WebSocket write: cancelled");
    if (code) co_return fail(Errc::unavailable, "WebSocket write: " + code.message());
    co_return Result<void>{};
  }
  asio::awaitable<void> close_handshake(std::uint16_t code, std::string reason) {
    websocket::close_reason why{static_cast<websocket::close_code>(code)};
    why.reason.assign(reason.data(), std::min<std::size_t>(reason.size(), 123));
    co_await stream_.async_close(why, kToken);
  }

  Stream stream_;
};

}  // namespace

asio::awaitable<Result<std::unique_ptr<WebSocket>>> accept_websocket_on(Socket socket, std::string key,
                                                                        WebSocketOptions options) {
  auto result = std::make_unique<WebSocketImpl>(std::move(socket));
  result->configure(options.message_bytes_max);
  // Beast's handshake wants a request of its own type. Only what it looks at is given to it; ours was checked before.
  beast::http::request<beast::http::empty_body> request{beast::http::verb::get, "/", 11};
  request.set(beast::http::field::host, "sandbox");
  request.set(beast::http::field::upgrade, "websocket");
  request.set(beast::http::field::connection, "Upgrade");
  request.set(beast::http::field::sec_websocket_key, key);
  request.set(beast::http::field::sec_websocket_version, "13");
  const std::string subprotocol = options.subprotocol;
  result->stream().set_option(websocket::stream_base::decorator([subprotocol](websocket::response_type& response) {
    response.erase(beast::http::field::server);
    if (!subprotocol.empty()) response.set(beast::http::field::sec_websocket_protocol, subprotocol);
  }));
  auto [code] = co_await result->stream().async_accept(request, kToken);
  if (code) co_return fail(Errc::unavailable, "WebSocket handshake: " + code.message());
  co_return result;
}

asio::awaitable<Result<std::unique_ptr<WebSocket>>> open_websocket(std::unique_ptr<ByteStream> stream, std::string host,
                                                                   std::string target, Headers headers) {
  SB_CO_TRY(Socket socket, stream->release_socket());
  auto result = std::make_unique<WebSocketImpl>(std::move(socket));
  result->configure(64 << 20);
  result->stream().set_option(websocket::stream_base::decorator([headers](websocket::request_type& request) {
    for (const Header& header : headers) request.insert(header.name, header.value);
  }));
  websocket::response_type response;
  auto [code] = co_await result->stream().async_handshake(response, host, target, kToken);
  if (code == websocket::error::upgrade_declined) {
    co_return fail(Errc::bad_gateway,
                   "WebSocket upgrade declined with status " + std::to_string(response.result_int()));
  }
  if (code) co_return fail(Errc::unavailable, "WebSocket handshake: " + code.message());
  co_return result;
}

}  // namespace sebring::net
