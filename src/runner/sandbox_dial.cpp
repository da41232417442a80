#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>

#include "runner/sandbox_state.h"

namespace sebring::runner {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// Loopback answers at once, unless the server's backlog is full.
constexpr std::chrono::seconds kConnectMax{5};

int connect_to_loopback(int socket, int family, std::uint16_t port) {
  if (family == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ? errno : 0;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ? errno : 0;
}

// Waits for the connection to be made; gives its errno.
asio::awaitable<int> finish_connect(asio::any_io_executor executor, int socket) {
  using namespace asio::experimental::awaitable_operators;
  int copy = ::fcntl(socket, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) co_return errno;
  asio::posix::stream_descriptor descriptor(executor, copy);
  asio::steady_timer timer(executor, kConnectMax);
  // A wait may end early, for the descriptor that had this number before.
  for (pollfd made{socket, POLLOUT, 0}; ::poll(&made, 1, 0) == 0;) {
    auto outcome = co_await (descriptor.async_wait(asio::posix::stream_descriptor::wait_write, kToken) ||
                             timer.async_wait(kToken));
    if (outcome.index() == 1) co_return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) < 0) co_return errno;
  co_return error;
}

}  // namespace

asio::awaitable<Result<UniqueFd>> Sandboxes::dial(std::string id, std::uint16_t port) {
  int error = ECONNREFUSED;
  for (int family : {AF_INET, AF_INET6}) {
    Handle sandbox = find(id);
    if (!sandbox || sandbox->removed) co_return fail(Errc::not_found, "this runner has no sandbox " + id);
    if (!sandbox->container) co_return fail(Errc::conflict, "sandbox " + id + " does not run");
    // A copy: the container may end while a worker has it.
    runtime::Container target;
    target.pidfd.reset(::fcntl(sandbox->container->pidfd.get(), F_DUPFD_CLOEXEC, 3));
    auto socket =
        co_await parts_.workers.run([&](runtime::Host::Wires&) { return runtime::socket_inside(target, family); });
    if (!socket && socket.error().os_errno() == EAFNOSUPPORT) continue;
    if (!socket) co_return fail(std::move(socket).error());
    int one = 1;
    ::setsockopt(socket->get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    error = connect_to_loopback(socket->get(), family, port);
    if (error == EINPROGRESS) error = co_await finish_connect(parts_.executor, socket->get());
    if (error == 0) co_return std::move(*socket);
  }
  auto text = "connect to port " + std::to_string(port) + " in sandbox " + id;
  co_return fail(Error::from_errno(error, text).with_code(error == ETIMEDOUT ? Errc::timed_out : Errc::unavailable));
}

}  // namespace sebring::runner
