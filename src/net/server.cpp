#include "net/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_set>

#include "net/client.h"
#include "net/connection.h"

namespace sebring::net {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// Out of descriptors or memory: wait for some to come back instead of spinning.
constexpr std::chrono::milliseconds kAcceptPause{50};
// For a last word to pass through what carries TLS, and for what a client is still sending: unread, it would make the
// kernel drop the word.
constexpr std::chrono::milliseconds kFarewellTime{100};

std::string peer_text(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    return asio::ip::address_v4(ntohl(in.sin_addr.s_addr)).to_string();
  }
  if (address.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
    asio::ip::address_v6::bytes_type bytes;
    std::copy(std::begin(in.sin6_addr.s6_addr), std::end(in.sin6_addr.s6_addr), bytes.begin());
    return asio::ip::address_v6(bytes).to_string();
  }
  return {};
}

// Shared with the coroutines that serve; outlives the Server object until the last of them has ended.
struct State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor executor, ServerLimits the_limits, Handler the_handler, HeadErrorBody the_error,
        MakeShortWay the_short_way)
      : executor(executor),
        limits(std::move(the_limits)),
        handler(std::move(the_handler)),
        head_error(std::move(the_error)),
        make_short_way(std::move(the_short_way)),
        sweep(executor),
        by_peer(limits.peers.each_max) {}

  asio::any_io_executor executor;
  ServerLimits limits;
  Handler handler;
  HeadErrorBody head_error;
  MakeShortWay make_short_way;
  asio::steady_timer sweep;
  bool sweeping = false;
  bool stopping = false;
  std::vector<std::shared_ptr<asio::posix::stream_descriptor>> listeners;
  std::unordered_set<Connection*> connections;
  std::size_t kept_body_bytes = 0;
  OpenCounts by_peer;

  asio::awaitable<void> serve(Socket socket, std::string peer) {
    auto self = shared_from_this();
    std::optional<OpenCounts::Hold> counted;
    if (limits.peers.counts(peer) && !counted.emplace(by_peer.hold(peer_network(peer)))) co_return;
    auto short_way = make_short_way ? make_short_way(peer) : nullptr;
    auto connection = std::make_shared<Connection>(make_stream(std::move(socket)), std::move(peer), limits, handler,
                                                   head_error, std::move(short_way), kept_body_bytes);
    connections.insert(connection.get());
    // Only while somebody is connected: a machine has thousands of toolboxes that nobody talks to.
    if (!std::exchange(sweeping, true)) asio::co_spawn(executor, sweep_loop(), asio::detached);
    try {
      co_await connection->run();
    } catch (const std::exception&) {
      connection->close();
    }
    connections.erase(connection.get());
  }

  asio::awaitable<void> accept_loop(std::shared_ptr<asio::posix::stream_descriptor> listener) {
    auto self = shared_from_this();
    while (!stopping) {
      auto [code] = co_await listener->async_wait(asio::posix::stream_descriptor::wait_read, kToken);
      if (code || stopping) break;
      for (;;) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        const int fd = ::accept4(listener->native_handle(), reinterpret_cast<sockaddr*>(&address), &length,
                                 SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
          if (errno == EINTR || errno == ECONNABORTED) continue;
          if (errno != EAGAIN && errno != EWOULDBLOCK) co_await sleep_for(kAcceptPause);
          break;
        }
        UniqueFd owned(fd);
        if (connections.size() >= limits.connections_max) continue;
        Socket socket(executor);
        boost::system::error_code failed;
        socket.assign(asio::generic::stream_protocol(address.ss_family, 0), fd, failed);
        if (failed) continue;
        owned.release();
        asio::co_spawn(executor, serve(std::move(socket), peer_text(address)), asio::detached);
      }
    }
  }

  asio::awaitable<void> sweep_loop() {
    auto self = shared_from_this();
    while (!stopping && !connections.empty()) {
      sweep.expires_after(limits.look_every);
      auto [code] = co_await sweep.async_wait(kToken);
      if (code && stopping) break;
      const auto now = Steady::now();
      for (Connection* connection : connections) connection->check(now);
    }
    sweeping = false;
  }
};

class ServerImpl final : public Server {
 public:
  explicit ServerImpl(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~ServerImpl() override {
    close_listeners();
    state_->stopping = true;
    state_->sweep.cancel();
    for (Connection* connection : state_->connections) connection->close();
  }

  Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port) override {
    boost::system::error_code code;
    const auto ip = asio::ip::make_address(address, code);
    if (code) return fail(Errc::invalid_argument, "not an address: " + address);
    const asio::ip::tcp::endpoint endpoint(ip, port);
    UniqueFd fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const std::string what = "listen on " + address + ":" + std::to_string(port);
    if (!fd) return fail_errno(errno, what);
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) return fail_errno(errno, what);
    if (::listen(fd.get(), SOMAXCONN) != 0) return fail_errno(errno, what);
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &length);
    const std::uint16_t got = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                                                : reinterpret_cast<sockaddr_in&>(bound).sin_port);
    SB_CHECK(listen_fd(std::move(fd)));
    return got;
  }

  Result<void> listen_fd(UniqueFd listening) override {
    start_sweeping();
    give_up_vanished(listening.get());
    auto listener = std::make_shared<asio::posix::stream_descriptor>(state_->executor);
    boost::system::error_code code;
    listener->assign(listening.get(), code);
    if (code) return fail(Errc::internal, "adopt listening socket: " + code.message());
    listening.release();
    listener->non_blocking(true, code);
    state_->listeners.push_back(listener);
    asio::co_spawn(state_->executor, state_->accept_loop(listener), asio::detached);
    return {};
  }

  Result<void> listen_unix(const std::string& path, unsigned mode) override {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(Errc::invalid_argument, "socket path is too long: " + path);
    path.copy(address.sun_path, path.size());
    ::unlink(path.c_str());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno(errno, "listen on " + path);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return fail_errno(errno, "bind " + path);
    if (::chmod(path.c_str(), mode) != 0) return fail_errno(errno, "chmod " + path);
    if (::listen(fd.get(), SOMAXCONN) != 0) return fail_errno(errno, "listen on " + path);
    return listen_fd(std::move(fd));
  }

  void serve(Socket connected, std::string peer) override {
    start_sweeping();
    if (state_->stopping || state_->connections.size() >= state_->limits.connections_max) return;
    asio::co_spawn(state_->executor, state_->serve(std::move(connected), std::move(peer)), asio::detached);
  }

  asio::awaitable<void> stop(std::chrono::milliseconds grace, std::string farewell) override {
    auto state = state_;
    state->stopping = true;
    close_listeners();
    for (Connection* connection : state->connections) connection->finish_soon();
    co_await until_empty(*state, grace);
    bool told = false;
    if (!farewell.empty()) {
      for (Connection* connection : state->connections) told |= connection->turn_away(farewell);
    }
    if (told) co_await until_empty(*state, kFarewellTime);
    for (Connection* connection : state->connections) connection->close();
    state->sweep.cancel();
  }

  std::size_t connections() const override { return state_->connections.size(); }

 private:
  static asio::awaitable<void> until_empty(const State& state, std::chrono::milliseconds at_most) {
    const auto end = Steady::now() + at_most;
    while (!state.connections.empty() && Steady::now() < end) co_await sleep_for(std::chrono::milliseconds(10));
  }
  void start_sweeping() {
    if (state_->sweeping) return;
    state_->sweeping = true;
    asio::co_spawn(state_->executor, state_->sweep_loop(), asio::detached);
  }
  void close_listeners() {
    boost::system::error_code ignored;
    for (auto& listener : state_->listeners) listener->close(ignored);
    state_->listeners.clear();
  }
  std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<Server> make_server(asio::any_io_executor executor, ServerLimits limits, Handler handler,
                                    HeadErrorBody head_error, MakeShortWay make_short_way) {
  return std::make_unique<ServerImpl>(std::make_shared<State>(
      std::move(executor), std::move(limits), std::move(handler), std::move(head_error), std::move(make_short_way)));
}

}  // namespace sebring::net
