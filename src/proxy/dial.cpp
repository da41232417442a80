#include "proxy/dial.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cstring>

#include "json/json.h"

namespace sebring::proxy {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// A connect to loopback is over at once, unless the server's queue is full.
constexpr std::chrono::seconds kDialTime{10};
constexpr std::size_t kAnswerBytesMax = 4096;

struct Answer {
  std::string text;
  UniqueFd socket;
};

// One packet and the descriptor with it.
Result<Answer> receive(int fd) {
  char bytes[kAnswerBytesMax];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
  iovec part{.iov_base = bytes, .iov_len = sizeof bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) return fail_errno(errno, "receive from the runner");
  Answer answer;
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&message); part_of; part_of = CMSG_NXTHDR(&message, part_of)) {
    if (part_of->cmsg_level != SOL_SOCKET || part_of->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int one = -1;
      std::memcpy(&one, CMSG_DATA(part_of) + i * sizeof(int), sizeof one);
      UniqueFd owned(one);
      if (!answer.socket) answer.socket = std::move(owned);
    }
  }
  if (got == 0) return fail(Errc::bad_gateway, "the runner closed the connection");
  answer.text.assign(bytes, static_cast<std::size_t>(got));
  return answer;
}

Error refusal(const json::bj::object& answer, std::uint16_t port) {
  const json::bj::value* code = answer.if_contains("code");
  const json::bj::value* message = answer.if_contains("message");
  const std::string_view name = code && code->is_string() ? std::string_view(code->get_string()) : "";
  const std::string text = message && message->is_string() ? std::string(message->get_string()) : std::string();
  if (name == "not_found") return Error(Errc::not_found, text);
  if (name == "timed_out") return Error(Errc::timed_out, text);
  if (name == "internal" || name == "invalid_argument") return Error(Errc::bad_gateway, text);
  return Error(Errc::unavailable, "nothing listens on port " + std::to_string(port) + " of the sandbox");
}

class RunnerDialer final : public Dialer {
 public:
  explicit RunnerDialer(std::string path) : path_(std::move(path)) {}

  asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> dial(std::string sandbox_id, std::uint16_t port) override {
    using asio::experimental::awaitable_operators::operator||;
    auto outcome = co_await (ask(std::move(sandbox_id), port) || net::sleep_for(kDialTime));
    if (outcome.index() == 1) co_return fail(Errc::timed_out, "port " + std::to_string(port) + " does not accept");
    co_return std::move(std::get<0>(outcome));
  }

 private:
  asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> ask(std::string sandbox_id, std::uint16_t port) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) co_return fail(Errc::internal, "path of dial.sock is too long");
    path_.copy(address.sun_path, path_.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) co_return fail_errno(errno, "make a socket");
    // A connect to a Unix socket never waits; a full queue is EAGAIN.
    while (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      if (errno != EAGAIN) {
        const int saved = errno;
        co_return fail(Error::from_errno(saved, "reach the runner").with_code(Errc::bad_gateway));
      }
      co_await net::sleep_for(std::chrono::milliseconds(2));
    }
    const std::string request =
        json::serialize(json::bj::object{{"id", sandbox_id}, {"port", static_cast<std::int64_t>(port)}});
    if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
      co_return fail(Error::from_errno(errno, "ask the runner").with_code(Errc::bad_gateway));
    }
    const auto executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor waiting(executor, fd.release());
    // A wait may end early: for what was to be read on the descriptor that had this number before.
    Result<Answer> received = fail_errno(EAGAIN, "receive from the runner");
    while (!received && received.error().os_errno() == EAGAIN) {
      auto [code] = co_await waiting.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
      if (code) co_return fail(Errc::cancelled, "dial: cancelled");
      received = receive(waiting.native_handle());
    }
    if (!received) co_return fail(std::move(received).error().with_code(Errc::bad_gateway));
    Answer answer = *std::move(received);
    auto parsed = json::parse_object(answer.text);
    if (!parsed)
      co_return fail(std::move(parsed.error()).while_doing("the runner's answer").with_code(Errc::bad_gateway));
    const json::bj::value* ok = parsed->if_contains("ok");
    if (!ok || !ok->is_bool() || !ok->get_bool()) co_return fail(refusal(*parsed, port));
    if (!answer.socket) co_return fail(Errc::bad_gateway, "the runner's answer holds no socket");
    co_return net::adopt_stream(executor, std::move(answer.socket));
  }

  std::string path_;
};

}  // namespace

std::unique_ptr<Dialer> make_dialer(std::string path) { return std::make_unique<RunnerDialer>(std::move(path)); }

}  // namespace sebring::proxy
