// /proxy/{port}/...: a server of the sandbox's own on its loopback, through the toolbox.
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/text.h"
#include "net/client.h"
#include "toolbox/answer.h"
#include "toolbox/context.h"

namespace sebring::toolbox {
namespace {

using namespace net::asio::experimental::awaitable_operators;
using net::asio::awaitable;

constexpr std::size_t kPieceBytes = 64 * 1024;
// Of one hop only (RFC 9110, 7.6.1); framing is made anew on either side.
constexpr std::string_view kHopHeaders[] = {
    "Connection", "Keep-Alive",        "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE",
    "Trailer",    "Transfer-Encoding", "Upgrade"};

void remove_hop_headers(net::Headers& headers) {
  for (std::string_view listed : split(headers.find("Connection").value_or(""), ',')) {
    if (!trim(listed).empty()) headers.remove(std::string(trim(listed)));
  }
  for (std::string_view name : kHopHeaders) headers.remove(name);
}

// "/proxy/3000/a?b" -> "/a?b", as it was encoded.
std::string target_behind_port(const std::string& target) {
  std::size_t at = target.find('/', 1);
  if (at != std::string::npos) at = target.find_first_of("/?", at + 1);
  if (at == std::string::npos) return "/";
  return target[at] == '?' ? "/" + target.substr(at) : target.substr(at);
}

net::RequestHead upstream_head(const net::Exchange& exchange, std::uint16_t port, bool upgrade) {
  net::RequestHead head = exchange.request();
  head.target = target_behind_port(head.target);
  head.version_minor = 1;
  net::split_target(head);
  const std::string protocol(head.headers.find("Upgrade").value_or(""));
  remove_hop_headers(head.headers);
  head.headers.set("Host", "localhost:" + std::to_string(port));
  if (upgrade) {
    head.headers.set("Connection", "Upgrade");
    head.headers.set("Upgrade", protocol);
  } else if (!exchange.content_length()) {
    head.headers.set("Transfer-Encoding", "chunked");
  }
  return head;
}

awaitable<Result<std::unique_ptr<net::ClientConnection>>> connect(std::uint16_t port) {
  auto stream = co_await net::connect_tcp("127.0.0.1", port);
  if (!stream) stream = co_await net::connect_tcp("::1", port);
  if (!stream) {
    co_return fail(Errc::bad_gateway,
                   "nothing listens on port " + std::to_string(port) + " of the sandbox: " + stream.error().message());
  }
  co_return net::make_client_connection(*std::move(stream));
}

// The request's body, then waits for the client to go. Returns only when that has happened.
awaitable<void> send_body(net::Exchange& exchange, net::ClientConnection& server) {
  std::vector<char> buffer(kPieceBytes);
  bool server_takes = true;
  for (;;) {
    auto got = co_await exchange.read_some(net::asio::buffer(buffer));
    if (!got) co_return;
    if (*got == 0) break;
    // A server that answers without reading on is no error; its answer says what it thinks.
    if (server_takes) server_takes = (co_await server.send_body({buffer.data(), *got})).has_value();
  }
  if (server_takes) (void)co_await server.finish_body();
  co_await exchange.client_gone();
}

awaitable<void> copy(net::ByteStream& from, net::ByteStream& to, std::string first) {
  if (!first.empty() && !co_await to.write(net::asio::buffer(first))) co_return;
  std::vector<char> buffer(kPieceBytes);
  for (;;) {
    auto got = co_await from.read_some(net::asio::buffer(buffer));
    if (!got || *got == 0) break;
    if (!co_await to.write(net::asio::buffer(buffer.data(), *got))) break;
  }
  to.shutdown_write();
}

awaitable<Result<void>> tunnel(net::Exchange& exchange, net::ClientConnection& server, net::ResponseHead head) {
  std::string from_client;
  std::string from_server;
  auto client_stream = exchange.take_stream(from_client);
  auto server_stream = server.take_stream(from_server);
  std::string text = "HTTP/1.1 101 " + std::string(net::reason_phrase(101)) + "\r\n";
  for (const net::Header& header : head.headers)
    text.append(header.name).append(": ").append(header.value).append("\r\n");
  text += "\r\n";
  SB_CO_CHECK(co_await client_stream->write(net::asio::buffer(text)));
  co_await (copy(*client_stream, *server_stream, std::move(from_client)) &&
            copy(*server_stream, *client_stream, std::move(from_server)));
  client_stream->close();
  server_stream->close();
  co_return Result<void>{};
}

awaitable<Result<void>> pass_answer(net::Exchange& exchange, net::ClientConnection& server) {
  auto answered = co_await server.read_head(exchange.request().method == "HEAD");
  if (!answered) {
    co_return fail(Errc::bad_gateway, "the server in the sandbox did not answer: " + answered.error().message());
  }
  net::ResponseHead head = *std::move(answered);
  remove_hop_headers(head.headers);
  SB_CO_CHECK(co_await exchange.start(std::move(head)));
  std::vector<char> buffer(kPieceBytes);
  for (;;) {
    SB_CO_TRY(const std::size_t got, co_await server.read_body(net::asio::buffer(buffer)));
    if (got == 0) break;
    SB_CO_CHECK(co_await exchange.write({buffer.data(), got}));
  }
  co_return co_await exchange.finish();
}

awaitable<Result<void>> forward_upgrade(net::Exchange& exchange, net::ClientConnection& server) {
  SB_CO_TRY(net::ResponseHead head, co_await server.read_head());
  if (head.status == 101) co_return co_await tunnel(exchange, server, std::move(head));
  remove_hop_headers(head.headers);
  head.headers.remove("Content-Length");
  SB_CO_CHECK(co_await exchange.start(std::move(head)));
  std::vector<char> buffer(kPieceBytes);
  for (;;) {
    SB_CO_TRY(const std::size_t got, co_await server.read_body(net::asio::buffer(buffer)));
    if (got == 0) break;
    SB_CO_CHECK(co_await exchange.write({buffer.data(), got}));
  }
  co_return co_await exchange.finish();
}

awaitable<Result<void>> forward(net::Exchange& exchange, const std::string& port_text) {
  const auto port = parse_integer(port_text);
  if (!port || *port < 1 || *port > 65535) co_return fail(Errc::invalid_argument, "invalid port: " + port_text);
  const net::Headers& headers = exchange.request().headers;
  const bool upgrade = headers.has_token("Connection", "upgrade") && headers.find("Upgrade").has_value();
  SB_CO_TRY(auto server, co_await connect(static_cast<std::uint16_t>(*port)));
  auto sent = co_await server->send_head(upstream_head(exchange, static_cast<std::uint16_t>(*port), upgrade));
  if (!sent) co_return fail(Errc::bad_gateway, "the server in the sandbox broke off: " + sent.error().message());
  if (upgrade) co_return co_await forward_upgrade(exchange, *server);
  auto first = co_await (pass_answer(exchange, *server) || send_body(exchange, *server));
  if (first.index() == 1) co_return fail(Errc::cancelled, "the client has gone");
  co_return std::get<0>(std::move(first));
}

awaitable<void> handle(net::Exchange& exchange, std::string port) {
  auto done = co_await forward(exchange, port);
  if (!done && done.error().code() != Errc::cancelled) co_await answer_error(exchange, done.error());
}

}  // namespace

void add_proxy_routes(net::Router& router, Context& /*context*/) {
  auto handler = [](net::Exchange& exchange, const net::PathParameters& parameters) {
    return handle(exchange, parameters["port"]);
  };
  router.add("*", "/proxy/{port}", handler);
  router.add("*", "/proxy/{port}/{rest...}", handler);
}

}  // namespace sebring::toolbox
