#include "proxy/tunnel.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sebring::proxy {
namespace {

namespace asio = net::asio;
constexpr std::size_t kFirstBytes = 16 * 1024;
constexpr std::size_t kBytesMax = 256 * 1024;
// A client answers a close frame in one round trip.
constexpr std::chrono::seconds kCloseTime{2};

enum class Stop { ended, source_failed, sink_failed };

asio::awaitable<bool> write(net::ByteStream& to, std::string_view piece, ToClient* watched) {
  if (watched) watched->writing = true;
  if (!co_await to.write(asio::buffer(piece))) co_return false;
  if (watched) {
    watched->writing = false;
    watched->frames.passed(piece);
  }
  co_return true;
}

asio::awaitable<Stop> copy(net::ByteStream& from, net::ByteStream& to, std::string first, ToClient* watched = nullptr) {
  if (!first.empty() && !co_await write(to, first, watched)) co_return Stop::sink_failed;
  std::string().swap(first);
  std::unique_ptr<char[]> memory;
  std::size_t size = 0;
  for (;;) {
    // Memory only while bytes flow: thousands of idle tunnels must cost no more than their sockets.
    if (size == 0) {
      if (!co_await from.wait_readable()) co_return Stop::source_failed;
      size = kFirstBytes;
      memory = std::make_unique_for_overwrite<char[]>(size);
    }
    auto got = co_await from.read_some(asio::buffer(memory.get(), size));
    if (!got) co_return Stop::source_failed;
    if (*got == 0) co_return Stop::ended;
    if (!co_await write(to, {memory.get(), *got}, watched)) co_return Stop::sink_failed;
    if (*got == size && size < kBytesMax) {
      size = kBytesMax;
      memory = std::make_unique_for_overwrite<char[]>(size);
    } else if (*got < size / 2) {
      memory.reset();
      size = 0;
    }
  }
}

asio::awaitable<void> copy_or_close(net::ByteStream& from, net::ByteStream& to, std::string first) {
  if (co_await copy(from, to, std::move(first)) == Stop::ended) {
    to.shutdown_write();
    co_return;
  }
  from.close();
  to.close();
}

asio::awaitable<void> send_and_drain(net::ByteStream& to, std::string frame) {
  if (!co_await to.write(asio::buffer(frame))) co_return;
  to.shutdown_write();
  // What is unread when a socket closes takes with it what was written last.
  std::string waste(kFirstBytes, '\0');
  for (Result<std::size_t> got = 1; got && *got > 0;) got = co_await to.read_some(asio::buffer(waste));
}

}  // namespace

asio::awaitable<void> run_tunnel(net::ByteStream& a, std::string from_a, net::ByteStream& b, std::string from_b) {
  using asio::experimental::awaitable_operators::operator&&;
  co_await (copy_or_close(a, b, std::move(from_a)) && copy_or_close(b, a, std::move(from_b)));
  a.close();
  b.close();
}

asio::awaitable<bool> run_websocket(net::ByteStream& client, std::string from_client, net::ByteStream& server,
                                    std::string from_server, ToClient& to_client, asio::steady_timer& over) {
  using asio::experimental::awaitable_operators::operator||;
  const auto done = co_await (copy(client, server, std::move(from_client)) ||
                              copy(server, client, std::move(from_server), &to_client) ||
                              over.async_wait(asio::as_tuple(asio::use_awaitable)));
  server.close();
  if (const Stop* stop = std::get_if<0>(&done)) co_return *stop == Stop::sink_failed;
  if (const Stop* stop = std::get_if<1>(&done)) co_return *stop != Stop::sink_failed;
  co_return true;
}

asio::awaitable<void> close_websocket(net::ByteStream& client, std::string frame) {
  using asio::experimental::awaitable_operators::operator||;
  co_await (send_and_drain(client, std::move(frame)) || net::sleep_for(kCloseTime));
}

}  // namespace sebring::proxy
