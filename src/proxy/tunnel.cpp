#include "proxy/tunnel.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace sebring::proxy {
namespace {

namespace asio = net::asio;
constexpr std::size_t kFirstBytes = 16 * 1024;
constexpr std::size_t kBytesMax = 256 * 1024;

// Returns false when the stream failed (not: ended).
asio::awaitable<bool> copy(net::ByteStream& from, net::ByteStream& to, std::string first) {
  if (!first.empty() && !co_await to.write(asio::buffer(first))) co_return false;
  std::string().swap(first);
  std::unique_ptr<char[]> memory;
  std::size_t size = 0;
  for (;;) {
    // Memory only while bytes flow: thousands of idle tunnels must cost no more than their sockets.
    if (size == 0) {
      if (!co_await from.wait_readable()) co_return false;
      size = kFirstBytes;
      memory = std::make_unique_for_overwrite<char[]>(size);
    }
    auto got = co_await from.read_some(asio::buffer(memory.get(), size));
    if (!got) co_return false;
    if (*got == 0) {
      to.shutdown_write();
      co_return true;
    }
    if (!co_await to.write(asio::buffer(memory.get(), *got))) co_return false;
    if (*got == size && size < kBytesMax) {
      size = kBytesMax;
      memory = std::make_unique_for_overwrite<char[]>(size);
    } else if (*got < size / 2) {
      memory.reset();
      size = 0;
    }
  }
}

}  // namespace

asio::awaitable<void> run_tunnel(net::ByteStream& a, std::string from_a, net::ByteStream& b, std::string from_b,
                                 HalfClose half_close) {
  using asio::experimental::awaitable_operators::operator||;
  using asio::experimental::awaitable_operators::operator&&;
  if (half_close == HalfClose::ends_both) {
    co_await (copy(a, b, std::move(from_a)) || copy(b, a, std::move(from_b)));
  } else {
    auto guarded = [](net::ByteStream& from, net::ByteStream& to, std::string first) -> asio::awaitable<void> {
      if (!co_await copy(from, to, std::move(first))) {
        from.close();
        to.close();
      }
    };
    co_await (guarded(a, b, std::move(from_a)) && guarded(b, a, std::move(from_b)));
  }
  a.close();
  b.close();
}

}  // namespace sebring::proxy
