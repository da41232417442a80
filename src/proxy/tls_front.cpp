#include "proxy/tls_front.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "proxy/certificate.h"
#include "proxy/http2.h"

namespace sebring::proxy {
namespace {

namespace asio = net::asio;
using tcp = asio::ip::tcp;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kHandshakeTime{15};
constexpr std::chrono::seconds kGoodbyeTime{3};
constexpr std::size_t kBytes = 32 * 1024;
constexpr std::size_t kConnectionsMax = 10'000;

// Both sides of one connection.
struct Pipe {
  Pipe(tcp::socket socket, std::shared_ptr<Certificate::Context> the_context, asio::any_io_executor executor)
      : context(std::move(the_context)), outside(std::move(socket), *context), inside(executor) {}
  std::shared_ptr<Certificate::Context> context;  // outlives its replacement
  asio::ssl::stream<tcp::socket> outside;
  asio::local::stream_protocol::socket inside;
};

asio::awaitable<bool> handshake(Pipe& pipe) {
  using asio::experimental::awaitable_operators::operator||;
  auto ended =
      co_await (pipe.outside.async_handshake(asio::ssl::stream_base::server, kToken) || net::sleep_for(kHandshakeTime));
  co_return ended.index() == 0 && !std::get<0>(std::get<0>(ended));
}

asio::awaitable<void> inwards(Pipe& pipe) {
  const auto memory = std::make_unique_for_overwrite<char[]>(kBytes);
  for (;;) {
    auto [code, got] = co_await pipe.outside.async_read_some(asio::buffer(memory.get(), kBytes), kToken);
    if (code) break;
    auto [failed, put] = co_await asio::async_write(pipe.inside, asio::buffer(memory.get(), got), kToken);
    if (failed) co_return;
  }
  boost::system::error_code ignored;
  pipe.inside.shutdown(asio::socket_base::shutdown_send, ignored);
}

asio::awaitable<void> outwards(Pipe& pipe) {
  std::unique_ptr<char[]> memory;
  for (;;) {
    auto [unready] = co_await pipe.inside.async_wait(asio::socket_base::wait_read, kToken);
    if (unready) break;
    if (!memory) memory = std::make_unique_for_overwrite<char[]>(kBytes);
    auto [code, got] = co_await pipe.inside.async_read_some(asio::buffer(memory.get(), kBytes), kToken);
    if (code) break;
    auto [failed, put] = co_await asio::async_write(pipe.outside, asio::buffer(memory.get(), got), kToken);
    if (failed) co_return;
    if (got < kBytes / 4) memory.reset();
  }
}

asio::awaitable<void> carry(Pipe& pipe) {
  using asio::experimental::awaitable_operators::operator||;
  using asio::experimental::awaitable_operators::operator&&;
  // The server's end is the connection's; a client that only stopped sending may still be answered.
  auto reading = [](Pipe& both) -> asio::awaitable<void> {
    co_await inwards(both);
    co_await net::sleep_for(std::chrono::hours(24));
  };
  co_await (reading(pipe) || outwards(pipe));
  co_await (pipe.outside.async_shutdown(kToken) || net::sleep_for(kGoodbyeTime));
  boost::system::error_code ignored;
  pipe.outside.lowest_layer().close(ignored);
  pipe.inside.close(ignored);
}

class TlsWire final : public Http2Wire {
 public:
  explicit TlsWire(Pipe& pipe) : pipe_(pipe) {}
  asio::awaitable<std::size_t> read(asio::mutable_buffer into) override {
    auto [code, got] = co_await pipe_.outside.async_read_some(into, kToken);
    co_return code ? 0 : got;
  }
  asio::awaitable<bool> write(asio::const_buffer data) override {
    auto [code, put] = co_await asio::async_write(pipe_.outside, data, kToken);
    co_return !code;
  }

 private:
  Pipe& pipe_;
};

bool speaks_http2(Pipe& pipe) {
  const unsigned char* name = nullptr;
  unsigned int length = 0;
  ::SSL_get0_alpn_selected(pipe.outside.native_handle(), &name, &length);
  return std::string_view(reinterpret_cast<const char*>(name), length) == "h2";
}

struct State {
  State(asio::any_io_executor the_executor, Certificate the_certificate, net::Server& the_server, TlsLimits the_limits)
      : executor(the_executor),
        certificate(std::move(the_certificate)),
        behind(&the_server),
        acceptor(the_executor),
        limits(std::move(the_limits)),
        by_peer(limits.peers.each_max) {}
  asio::any_io_executor executor;
  Certificate certificate;
  net::Server* behind;  // nullptr once the front has gone
  tcp::acceptor acceptor;
  std::size_t connections = 0;
  TlsLimits limits;
  net::OpenCounts by_peer;
};

// A connection to the server behind, for one request after the other of a client that speaks HTTP/2.
std::unique_ptr<net::ByteStream> connect_behind(State& state, const std::string& peer) {
  if (!state.behind) return nullptr;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return nullptr;
  UniqueFd ours(ends[0]), theirs(ends[1]);
  net::Socket server_end(state.executor);
  boost::system::error_code code;
  server_end.assign(asio::generic::stream_protocol(AF_UNIX, 0), theirs.get(), code);
  if (code) return nullptr;
  theirs.release();
  state.behind->serve(std::move(server_end), peer);
  auto stream = net::adopt_stream(state.executor, std::move(ours));
  return stream ? std::move(*stream) : nullptr;
}

asio::awaitable<void> carry_http2(std::shared_ptr<State> state, Pipe& pipe, std::string peer) {
  using asio::experimental::awaitable_operators::operator||;
  TlsWire wire(pipe);
  const Http2Limits limits{.stall_time = state->limits.stall_time, .look_every = state->limits.look_every};
  co_await serve_http2(wire, [state, peer] { return connect_behind(*state, peer); }, limits);
  co_await (pipe.outside.async_shutdown(kToken) || net::sleep_for(kGoodbyeTime));
  boost::system::error_code ignored;
  pipe.outside.lowest_layer().close(ignored);
}

asio::awaitable<void> serve(std::shared_ptr<State> state, tcp::socket socket, std::string peer) {
  std::optional<net::OpenCounts::Hold> counted;
  if (state->limits.peers.counts(peer) && !counted.emplace(state->by_peer.hold(net::peer_network(peer)))) co_return;
  const int on = 1;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Pipe pipe(std::move(socket), state->certificate.current(), state->executor);
  ++state->connections;
  const bool good = co_await handshake(pipe);
  if (good && state->behind && speaks_http2(pipe)) {
    co_await carry_http2(state, pipe, std::move(peer));
  } else if (good && state->behind) {
    asio::local::stream_protocol::socket server_end(state->executor);
    boost::system::error_code code;
    asio::local::connect_pair(pipe.inside, server_end, code);
    if (!code) {
      state->behind->serve(net::Socket(std::move(server_end)), std::move(peer));
      co_await carry(pipe);
    }
  }
  --state->connections;
}

asio::awaitable<void> accept_all(std::shared_ptr<State> state) {
  for (;;) {
    tcp::socket socket(state->executor);
    tcp::endpoint peer;
    auto [code] = co_await state->acceptor.async_accept(socket, peer, kToken);
    if (code == asio::error::operation_aborted || !state->behind) co_return;
    if (code) {
      co_await net::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    if (state->connections >= kConnectionsMax) continue;
    asio::co_spawn(state->executor, serve(state, std::move(socket), peer.address().to_string()), asio::detached);
  }
}

class TlsFrontImpl final : public TlsFront {
 public:
  explicit TlsFrontImpl(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~TlsFrontImpl() override { stop(); }

  Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port) override {
    boost::system::error_code code;
    const auto ip = asio::ip::make_address(address, code);
    if (code) return fail(Errc::invalid_argument, "not an address: " + address);
    const tcp::endpoint place(ip, port);
    state_->acceptor.open(place.protocol(), code);
    if (!code) state_->acceptor.set_option(tcp::acceptor::reuse_address(true), code);
    if (!code) state_->acceptor.bind(place, code);
    if (!code) state_->acceptor.listen(asio::socket_base::max_listen_connections, code);
    if (code) {
      return fail(Errc::conflict, "listen with TLS on " + address + ":" + std::to_string(port) + ": " + code.message());
    }
    net::give_up_vanished(state_->acceptor.native_handle());
    asio::co_spawn(state_->executor, accept_all(state_), asio::detached);
    return state_->acceptor.local_endpoint(code).port();
  }

  Result<void> listen_fd(UniqueFd listening) override {
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    if (::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
      return fail_errno(errno, "adopt a listening socket");
    }
    boost::system::error_code code;
    state_->acceptor.assign(bound.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), listening.get(), code);
    if (code) return fail(Errc::internal, "adopt a listening socket: " + code.message());
    listening.release();
    net::give_up_vanished(state_->acceptor.native_handle());
    asio::co_spawn(state_->executor, accept_all(state_), asio::detached);
    return {};
  }

  void stop() override {
    state_->behind = nullptr;
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
  }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace

Result<std::unique_ptr<TlsFront>> make_tls_front(asio::any_io_executor executor, TlsFiles files, net::Server& behind,
                                                 std::function<void(std::string)> problem, TlsLimits limits) {
  Certificate certificate(std::move(files), std::move(problem));
  SB_CHECK(certificate.load());
  return std::make_unique<TlsFrontImpl>(
      std::make_shared<State>(std::move(executor), std::move(certificate), behind, std::move(limits)));
}

}  // namespace sebring::proxy
