#include "net/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace sebring::net {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// Between control and a toolbox: with the usual 208 KiB the two wake each other for every piece of a large body. The
// kernel cuts it to net.core.wmem_max, and takes memory only for what is in it.
constexpr int kUnixSendBytes = 512 * 1024;

Error error_of(const boost::system::error_code& code, std::string_view doing) {
  if (code == asio::error::operation_aborted) return Error(Errc::cancelled, std::string(doing) + ": cancelled");
  if (code.category() == boost::system::system_category()) return Error::from_errno(code.value(), doing);
  return Error(Errc::unavailable, std::string(doing) + ": " + code.message());
}

class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(Socket socket) : socket_(std::move(socket)) {
    const int family = socket_.local_endpoint_family();
    if (family == AF_INET || family == AF_INET6) {
      const int on = 1;
      ::setsockopt(socket_.get().native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    } else if (family == AF_UNIX) {
      ::setsockopt(socket_.get().native_handle(), SOL_SOCKET, SO_SNDBUF, &kUnixSendBytes, sizeof kUnixSendBytes);
    }
  }

  asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer into) override {
    auto [code, bytes] = co_await socket_.get().async_read_some(into, kToken);
    if (code == asio::error::eof || code == asio::error::connection_reset) co_return std::size_t{0};
    if (code) co_return fail(error_of(code, "read"));
    co_return bytes;
  }

  asio::awaitable<Result<void>> wait_readable() override {
    auto [code] = co_await socket_.get().async_wait(Socket::wait_read, kToken);
    if (code) co_return fail(error_of(code, "wait"));
    co_return Result<void>{};
  }

  asio::awaitable<Result<void>> wait_writable() override {
    auto [code] = co_await socket_.get().async_wait(Socket::wait_write, kToken);
    if (code) co_return fail(error_of(code, "wait"));
    co_return Result<void>{};
  }
  bool is_plain_socket() const override { return true; }

  // Nearly every write fits into the socket's buffer. Asio would tell of its end through the queue of the event loop,
  // and look for events on the way: that costs as much as the write.
  asio::awaitable<Result<void>> write(asio::const_buffer data) override {
    data += write_now(data, {});
    if (data.size() == 0) co_return Result<void>{};
    auto [code, bytes] = co_await asio::async_write(socket_.get(), data, kToken);
    if (code) co_return fail(error_of(code, "write"));
    co_return Result<void>{};
  }

  // Every so often nothing is sent here, so that a connection which never has to wait still lets the others have their
  // turn.
  std::size_t write_now(asio::const_buffer first, asio::const_buffer second) override {
    constexpr unsigned kInARowMax = 32;
    if (++sent_in_a_row_ % kInARowMax == 0) return 0;
    iovec parts[2] = {{const_cast<void*>(first.data()), first.size()},
                      {const_cast<void*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = second.size() > 0 ? 2 : 1;
    const ssize_t sent = ::sendmsg(socket_.get().native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }

  asio::awaitable<Result<void>> write2(asio::const_buffer first, asio::const_buffer second) override {
    const std::size_t sent = write_now(first, second);
    if (sent == first.size() + second.size()) co_return Result<void>{};
    const std::array<asio::const_buffer, 2> both{first + sent, second + (sent - std::min(sent, first.size()))};
    auto [code, bytes] = co_await asio::async_write(socket_.get(), both, kToken);
    if (code) co_return fail(error_of(code, "write"));
    co_return Result<void>{};
  }

  void shutdown_write() override {
    boost::system::error_code ignored;
    socket_.get().shutdown(Socket::shutdown_send, ignored);
  }
  void close() override {
    boost::system::error_code ignored;
    socket_.get().close(ignored);
  }
  asio::any_io_executor executor() override { return socket_.get().get_executor(); }
  Result<Socket> release_socket() override { return std::move(socket_.get()); }
  int native_handle() override { return socket_.get().native_handle(); }

 private:
  // The generic protocol keeps no family of its own: asked from the kernel once.
  class Wrapped {
   public:
    explicit Wrapped(Socket socket) : socket_(std::move(socket)) {}
    Socket& get() { return socket_; }
    int local_endpoint_family() {
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      if (::getsockname(socket_.native_handle(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
      return address.ss_family;
    }

   private:
    Socket socket_;
  };
  Wrapped socket_;
  unsigned sent_in_a_row_ = 0;
};

template <class Endpoint>
asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect_to(Endpoint endpoint, std::string what) {
  Socket socket(co_await asio::this_coro::executor);
  auto [code] = co_await socket.async_connect(asio::generic::stream_protocol::endpoint(endpoint), kToken);
  if (code) {
    Error error = error_of(code, "connect to " + what);
    co_return fail(code == asio::error::operation_aborted ? std::move(error)
                                                          : std::move(error).with_code(Errc::unavailable));
  }
  co_return make_stream(std::move(socket));
}

}  // namespace

std::unique_ptr<ByteStream> make_stream(Socket socket) { return std::make_unique<SocketStream>(std::move(socket)); }

Result<std::unique_ptr<ByteStream>> adopt_stream(asio::any_io_executor executor, UniqueFd connected) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(connected.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return fail_errno(errno, "adopt socket");
  }
  Socket socket(executor);
  boost::system::error_code code;
  socket.assign(asio::generic::stream_protocol(address.ss_family, 0), connected.get(), code);
  if (code) return fail(error_of(code, "adopt socket"));
  connected.release();
  return make_stream(std::move(socket));
}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect_unix(std::string path) {
  if (path.empty() || path.size() >= 108)
    co_return fail(Errc::invalid_argument, "socket path is empty or too long: " + path);
  co_return co_await connect_to(asio::local::stream_protocol::endpoint(path), path);
}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect_tcp(std::string address, std::uint16_t port) {
  boost::system::error_code code;
  auto ip = asio::ip::make_address(address, code);
  if (code) co_return fail(Errc::invalid_argument, "not an address: " + address);
  co_return co_await connect_to(asio::ip::tcp::endpoint(ip, port), address + ":" + std::to_string(port));
}

asio::awaitable<bool> sleep_for(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  auto [code] = co_await timer.async_wait(kToken);
  co_return !code;
}

}  // namespace sebring::net
