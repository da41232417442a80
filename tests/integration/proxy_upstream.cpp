// A well-behaved server behind the proxy: `proxy_upstream unix PATH` or `proxy_upstream tcp PORT`. Runs until stdin
// ends.
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <cstring>

#include "base/text.h"
#include "net/server.h"

namespace {
using namespace sebring;
namespace asio = net::asio;
namespace bj = boost::json;

asio::awaitable<void> describe(net::Exchange& exchange) {
  auto body = co_await exchange.read_all(64 << 20);
  bj::object answer;
  answer["method"] = exchange.request().method;
  answer["target"] = exchange.request().target;
  bj::object& headers = answer["headers"].emplace_object();
  for (const net::Header& header : exchange.request().headers) headers[to_lower(header.name)] = header.value;
  answer["bytes"] = body ? static_cast<std::int64_t>(body->size()) : -1;
  co_await exchange.respond(net::Response::json(200, bj::serialize(answer)));
}

asio::awaitable<void> sink(net::Exchange& exchange) {
  std::vector<char> memory(1 << 20);
  std::uint64_t bytes = 0;
  for (;;) {
    auto got = co_await exchange.read_some(asio::buffer(memory));
    if (!got || *got == 0) break;
    bytes += *got;
  }
  co_await exchange.respond(net::Response::json(200, std::to_string(bytes)));
}

asio::awaitable<void> source(net::Exchange& exchange, bool chunked) {
  const net::Query query(exchange.request().query);
  std::uint64_t left = static_cast<std::uint64_t>(parse_integer(query.find("bytes").value_or("0")).value_or(0));
  net::ResponseHead head;
  if (!chunked) head.headers.set("Content-Length", std::to_string(left));
  const std::string memory(1 << 20, 'x');
  if (!co_await exchange.start(std::move(head))) co_return;
  while (left > 0) {
    const std::size_t piece = std::min<std::uint64_t>(left, memory.size());
    if (!co_await exchange.write({memory.data(), piece})) co_return;
    left -= piece;
  }
  (void)co_await exchange.finish();
}

asio::awaitable<void> events(net::Exchange& exchange) {
  net::ResponseHead head;
  head.headers.set("Content-Type", "text/event-stream");
  if (!co_await exchange.start(std::move(head))) co_return;
  for (int i = 0; i < 5; ++i) {
    co_await net::sleep_for(std::chrono::milliseconds(100));
    if (!co_await exchange.write("data: " + std::to_string(i) + "\n\n")) co_return;
  }
  (void)co_await exchange.finish();
}

asio::awaitable<void> echo_socket(net::Exchange& exchange) {
  net::WebSocketOptions options{.message_bytes_max = 64 << 20};
  if (auto offered = exchange.offered_subprotocols(); !offered.empty()) options.subprotocol = offered.front();
  auto socket = co_await exchange.accept_websocket(std::move(options));
  if (!socket) {
    co_await exchange.respond(net::Response::text(400, socket.error().message()));
    co_return;
  }
  for (;;) {
    auto message = co_await (*socket)->read();
    if (!message || !*message) co_return;
    const auto& data = (*message)->data;
    if (!((*message)->text ? co_await (*socket)->send_text(data) : co_await (*socket)->send_binary(data))) co_return;
  }
}

asio::awaitable<void> handle(net::Exchange& exchange) {
  const std::string path = exchange.request().path;
  if (path == "/sink") co_return co_await sink(exchange);
  if (path == "/source") co_return co_await source(exchange, false);
  if (path == "/source-chunked") co_return co_await source(exchange, true);
  if (path == "/events") co_return co_await events(exchange);
  if (path == "/socket") co_return co_await echo_socket(exchange);
  if (path == "/process/execute") {
    (void)co_await exchange.read_all(1 << 20);
    (void)co_await exchange.respond(net::Response::json(200, R"({"exitCode":0,"result":"hello\n"})"));
    co_return;
  }
  if (path == "/redirect") {
    net::Response response = net::Response::empty(302);
    response.headers.set("Location", "/elsewhere?x=1");
    (void)co_await exchange.respond(std::move(response));
    co_return;
  }
  if (path == "/early") {
    (void)co_await exchange.respond(net::Response::text(413, "no more"));
    co_return;
  }
  if (path == "/hang") co_return co_await exchange.client_gone();
  co_await describe(exchange);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  asio::io_context io(1);
  auto server = net::make_server(io.get_executor(), {}, handle, [](int status, std::string_view why) {
    return net::Response::text(status, std::string(why));
  });
  if (std::strcmp(argv[1], "unix") == 0) {
    if (auto made = server->listen_unix(argv[2], 0666); !made) return 1;
    std::puts("0");
  } else {
    auto port = server->listen_tcp("127.0.0.1", static_cast<std::uint16_t>(std::atoi(argv[2])));
    if (!port) return 1;
    std::printf("%u\n", *port);
  }
  std::fflush(stdout);
  asio::posix::stream_descriptor input(io, ::dup(0));
  char byte;
  input.async_read_some(asio::buffer(&byte, 1), [&](auto, auto) { io.stop(); });
  io.run();
}
