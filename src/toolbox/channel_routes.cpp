// Raw connections to processes and ports of the sandbox, for the SSH gateway: see channel_wire.h.
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "base/random.h"
#include "base/text.h"
#include "toolbox/answer.h"
#include "toolbox/channel_process.h"

namespace sebring::toolbox {
namespace {

using Exchange = net::Exchange;
using tcp = asio::ip::tcp;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kListenersMax = 64;
constexpr std::size_t kWaitingMax = 256;
constexpr std::chrono::seconds kFetchTime{60};

// Answers 101 and hands over the raw connection. nullptr: something else was answered.
asio::awaitable<std::unique_ptr<net::ByteStream>> accept_upgrade(Exchange& exchange, std::string_view protocol,
                                                                 std::string& already_read) {
  const net::Headers& headers = exchange.request().headers;
  if (!headers.has_token("Upgrade", protocol) || !headers.has_token("Connection", "upgrade")) {
    co_await answer_error(exchange, Error(Errc::invalid_argument, "expected an upgrade to " + std::string(protocol)));
    co_return nullptr;
  }
  auto stream = exchange.take_stream(already_read);
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + std::string(protocol) + "\r\n\r\n";
  if (!co_await stream->write(asio::buffer(head))) co_return nullptr;
  co_return stream;
}

// Connections that came in and wait to be fetched.
struct Waiting {
  std::map<std::string, std::pair<net::Socket, Steady::time_point>> sockets;
  std::size_t listeners = 0;

  void forget_old() {
    const auto now = Steady::now();
    std::erase_if(sockets, [now](const auto& entry) { return entry.second.second < now; });
  }
};
using WaitingPtr = std::shared_ptr<Waiting>;

Result<tcp::acceptor> listen_on(Context& context, std::uint16_t port) {
  // This daemon could take any port; the user could not.
  if (port != 0 && port < 1024 && context.user.uid != 0) return fail(Errc::forbidden, "ports below 1024 are root's");
  tcp::acceptor acceptor(context.io);
  boost::system::error_code code;
  const tcp::endpoint place(asio::ip::address_v4::loopback(), port);
  acceptor.open(place.protocol(), code);
  if (!code) acceptor.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code) acceptor.bind(place, code);
  if (!code) acceptor.listen(tcp::acceptor::max_listen_connections, code);
  if (code) return fail(Errc::conflict, "listen on port " + std::to_string(port) + ": " + code.message());
  return acceptor;
}

asio::awaitable<void> announce(tcp::acceptor& acceptor, net::ByteStream& stream, WaitingPtr waiting) {
  for (;;) {
    tcp::socket socket(acceptor.get_executor());
    tcp::endpoint peer;
    auto [code] = co_await acceptor.async_accept(socket, peer, kToken);
    if (code == asio::error::operation_aborted) co_return;
    if (code) {
      co_await net::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    waiting->forget_old();
    if (waiting->sockets.size() >= kWaitingMax) continue;
    const std::string id = random_hex(16);
    const std::string line = id + " " + peer.address().to_string() + " " + std::to_string(peer.port()) + "\n";
    waiting->sockets.emplace(id, std::pair(net::Socket(std::move(socket)), Steady::now() + kFetchTime));
    if (!co_await stream.write(asio::buffer(line))) co_return;
  }
}

asio::awaitable<void> until_closed(net::ByteStream& stream) {
  char waste[64];
  for (;;) {
    auto got = co_await stream.read_some(asio::buffer(waste));
    if (!got || *got == 0) co_return;
  }
}

asio::awaitable<void> listen_route(Context& context, Exchange& exchange, WaitingPtr waiting) {
  using asio::experimental::awaitable_operators::operator||;
  const net::Query query(exchange.request().query);
  const auto port = parse_integer(query.find("port").value_or(""));
  if (!port || *port < 0 || *port > 65535) {
    co_return co_await answer_error(exchange, Error(Errc::invalid_argument, "port must be 0 to 65535"));
  }
  if (waiting->listeners >= kListenersMax) {
    co_return co_await answer_error(exchange, Error(Errc::exhausted, "too many listeners"));
  }
  auto acceptor = listen_on(context, static_cast<std::uint16_t>(*port));
  if (!acceptor) co_return co_await answer_error(exchange, acceptor.error());
  std::string ignored;
  auto stream = co_await accept_upgrade(exchange, kListenUpgrade, ignored);
  if (!stream) co_return;
  ++waiting->listeners;
  boost::system::error_code code;
  const std::string line = std::to_string(acceptor->local_endpoint(code).port()) + "\n";
  if (co_await stream->write(asio::buffer(line))) {
    co_await (announce(*acceptor, *stream, waiting) || until_closed(*stream));
  }
  --waiting->listeners;
}

asio::awaitable<bool> copy(net::ByteStream& from, net::ByteStream& to) {
  const auto memory = std::make_unique_for_overwrite<char[]>(64 * 1024);
  for (;;) {
    auto got = co_await from.read_some(asio::buffer(memory.get(), 64 * 1024));
    if (!got) co_return false;
    if (*got == 0) {
      to.shutdown_write();
      co_return true;
    }
    if (!co_await to.write(asio::buffer(memory.get(), *got))) co_return false;
  }
}

asio::awaitable<void> copy_or_close(net::ByteStream& from, net::ByteStream& to) {
  if (co_await copy(from, to)) co_return;
  from.close();
  to.close();
}

asio::awaitable<void> accept_route(Exchange& exchange, WaitingPtr waiting) {
  using asio::experimental::awaitable_operators::operator&&;
  const net::Query query(exchange.request().query);
  waiting->forget_old();
  const auto found = waiting->sockets.find(std::string(query.find("id").value_or("")));
  if (found == waiting->sockets.end()) {
    co_return co_await answer_error(exchange, Error(Errc::not_found, "no such connection"));
  }
  auto server = net::make_stream(std::move(found->second.first));
  waiting->sockets.erase(found);
  std::string already_read;
  auto client = co_await accept_upgrade(exchange, kTcpUpgrade, already_read);
  if (!client) co_return;
  if (!already_read.empty() && !co_await server->write(asio::buffer(already_read))) co_return;
  co_await (copy_or_close(*client, *server) && copy_or_close(*server, *client));
}

asio::awaitable<void> process_route(Context& context, Exchange& exchange) {
  std::string already_read;
  auto stream = co_await accept_upgrade(exchange, kProcessUpgrade, already_read);
  if (stream) co_await serve_channel(context, std::move(stream), std::move(already_read));
}

}  // namespace

void add_channel_routes(net::Router& router, Context& context) {
  auto waiting = std::make_shared<Waiting>();
  router.add("GET", "/process/channel",
             [&context](Exchange& exchange, const net::PathParameters&) { return process_route(context, exchange); });
  router.add("GET", "/port/listen", [&context, waiting](Exchange& exchange, const net::PathParameters&) {
    return listen_route(context, exchange, waiting);
  });
  router.add("GET", "/port/accept",
             [waiting](Exchange& exchange, const net::PathParameters&) { return accept_route(exchange, waiting); });
}

}  // namespace sebring::toolbox
