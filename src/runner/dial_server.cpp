#include "runner/dial_server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json.hpp>

#include "json/json.h"
#include "os/passing.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kRequestBytesMax = 1024;
constexpr std::size_t kOpenMax = 4096;
constexpr std::chrono::milliseconds kAcceptPause{50};

struct Wanted {
  std::string id;
  std::uint16_t port = 0;
};

Result<Wanted> parse(std::string_view text) {
  SB_TRY(auto object, json::parse_object(text));
  json::ObjectReader reader(object);
  Wanted wanted{reader.required_text("id"), static_cast<std::uint16_t>(reader.integer("port", 1, 65535).value_or(0))};
  if (wanted.port == 0) reader.error("port is missing");
  SB_CHECK(reader.finish());
  return wanted;
}

}  // namespace

DialServer::DialServer(asio::any_io_executor executor, UniqueFd listening, Sandboxes& sandboxes)
    : executor_(executor), listening_(executor, listening.release()), sandboxes_(sandboxes) {
  listening_.non_blocking(true);
  asio::co_spawn(executor_, accept(), asio::detached);
}

void DialServer::close() {
  boost::system::error_code ignored;
  listening_.close(ignored);
}

asio::awaitable<void> DialServer::accept() {
  for (;;) {
    auto [error] = co_await listening_.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (error) co_return;
    UniqueFd connection(::accept4(listening_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection || open_ >= kOpenMax) {
      if (errno != EAGAIN) co_await net::sleep_for(kAcceptPause);
      continue;
    }
    asio::co_spawn(executor_, serve(std::move(connection)), asio::detached);
  }
}

// Several requests may follow one another on a connection.
asio::awaitable<void> DialServer::serve(UniqueFd connection) {
  ++open_;
  asio::posix::stream_descriptor descriptor(executor_, connection.release());
  for (;;) {
    auto [error] = co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (error) break;
    auto message = os::receive_message(descriptor.native_handle(), kRequestBytesMax);
    if (!message && message.error().os_errno() == EAGAIN) continue;
    if (!message || message->ended) break;
    auto wanted = parse(message->data);
    Result<UniqueFd> socket =
        wanted ? co_await sandboxes_.dial(wanted->id, wanted->port) : std::unexpected(wanted.error());
    bj::object reply{{"ok", socket.has_value()}};
    if (!socket) {
      reply["code"] = errc_name(socket.error().code());
      reply["message"] = socket.error().message();
    }
    int fd = socket ? socket->get() : -1;
    auto sent =
        os::send_message(descriptor.native_handle(), bj::serialize(reply), std::span<const int>(&fd, socket ? 1 : 0));
    if (!sent) break;
  }
  --open_;
}

}  // namespace sebring::runner
