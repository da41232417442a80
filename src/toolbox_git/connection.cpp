#include "toolbox_git/connection.h"

#include <fcntl.h>
#include <git2.h>
#include <git2/sys/errors.h>
#include <git2/sys/stream.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/text.h"
#include "base/unique_fd.h"
#include "toolbox_git/cancellation.h"

namespace sebring::toolbox_git {
namespace {

constexpr int kConnectMs = 30'000;
// Longest silence of a server that counts objects of a very large repository before it sends; git's own has keepalives
// every 5 s.
constexpr int kSilenceMs = 120'000;

// libgit2 registers a constructor without user data, hence this one pointer. One operation runs per process.
ConnectionPolicy* active_policy = nullptr;

struct Stream {
  git_stream parent{};  // first: libgit2 knows only this part
  std::string host;
  std::string port;
  UniqueFd fd;
};

Stream& self(git_stream* stream) { return *reinterpret_cast<Stream*>(stream); }

int net_error(const std::string& message) {
  git_error_set_str(GIT_ERROR_NET, message.c_str());
  return -1;
}

// 0 when ready, GIT_TIMEOUT or -1 with the error set.
int wait_for(int fd, short events, int limit_ms, const Stream& stream) {
  pollfd entry{fd, events, 0};
  int ready;
  do {
    ready = ::poll(&entry, 1, limit_ms);
  } while (ready < 0 && errno == EINTR && !is_cancelled());
  if (ready > 0) return 0;
  if (ready < 0) return net_error("wait for " + stream.host + ": " + errno_text(errno));
  net_error("no answer from " + stream.host + " for " + std::to_string(limit_ms / 1000) + " s");
  return GIT_TIMEOUT;
}

// Connected, or the errno.
std::expected<UniqueFd, int> connect_to(const addrinfo& address, const Stream& stream) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd) return std::unexpected(errno);
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return std::unexpected(errno);
  if (wait_for(fd.get(), POLLOUT, kConnectMs, stream) != 0) return std::unexpected(ETIMEDOUT);
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return std::unexpected(error);
  return fd;
}

int refuse(const Error& error) {
  active_policy->remember_refusal(error.message());
  return net_error(error.message());
}

int stream_connect(git_stream* raw) {
  auto& stream = self(raw);
  if (const auto allowed = active_policy->check_host(stream.host); !allowed) return refuse(allowed.error());
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  addrinfo* list = nullptr;
  if (const int rc = ::getaddrinfo(stream.host.c_str(), stream.port.c_str(), &hints, &list); rc != 0)
    return net_error("resolve " + stream.host + ": " + (rc == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(rc)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
  int last_errno = 0;
  for (const addrinfo* address = list; address; address = address->ai_next) {
    if (const auto allowed = active_policy->check_address(stream.host, *address->ai_addr); !allowed)
      return refuse(allowed.error());
    auto connected = connect_to(*address, stream);
    if (connected) {
      stream.fd = *std::move(connected);
      return 0;
    }
    last_errno = connected.error();
  }
  return net_error("connect to " + stream.host + " port " + stream.port + ": " + errno_text(last_errno));
}

ssize_t stream_read(git_stream* raw, void* into, size_t size) {
  auto& stream = self(raw);
  while (true) {
    const auto got = ::recv(stream.fd.get(), into, size, 0);
    if (got >= 0) return got;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return net_error("receive from " + stream.host + ": " + errno_text(errno));
    if (const int rc = wait_for(stream.fd.get(), POLLIN, kSilenceMs, stream); rc != 0) return rc;
  }
}

ssize_t stream_write(git_stream* raw, const char* data, size_t size, int) {
  auto& stream = self(raw);
  while (true) {
    const auto sent = ::send(stream.fd.get(), data, size, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return net_error("send to " + stream.host + ": " + errno_text(errno));
    if (const int rc = wait_for(stream.fd.get(), POLLOUT, kSilenceMs, stream); rc != 0) return rc;
  }
}

int stream_close(git_stream* raw) {
  self(raw).fd.reset();
  return 0;
}

void stream_free(git_stream* raw) { delete &self(raw); }

int make_stream(git_stream** out, const char* host, const char* port) {
  auto stream = std::make_unique<Stream>();
  stream->host = to_lower(host);
  stream->port = port;
  auto& parent = stream->parent;
  parent.version = GIT_STREAM_VERSION;
  parent.connect = stream_connect;
  parent.read = stream_read;
  parent.write = stream_write;
  parent.close = stream_close;
  parent.free = stream_free;
  *out = &stream.release()->parent;
  return 0;
}

std::string_view name_of(Reach reach) {
  switch (reach) {
    case Reach::here:
      return "a loopback address";
    case Reach::link:
      return "a link-local address";
    case Reach::site:
      return "a private address";
    case Reach::world:
      break;
  }
  return "a public address";
}

}  // namespace

Result<void> ConnectionPolicy::check_host(const std::string& host) const {
  if (is_free(host) || !signed_in_) return {};
  return fail(Errc::bad_gateway, origin_ + " redirects to " + host + " after sign-in, which is refused");
}

Result<void> ConnectionPolicy::check_address(const std::string& host, const sockaddr& address) {
  const auto reach = reach_of(address);
  if (is_free(host)) {
    if (host == origin_ && reach < origin_reach_) origin_reach_ = reach;
    return {};
  }
  if (reach >= origin_reach_) return {};
  return fail(Errc::bad_gateway,
              origin_ + " redirects to " + host + ", " + std::string(name_of(reach)) + ", which is refused");
}

PolicedConnections::PolicedConnections(ConnectionPolicy& policy) {
  SB_ASSERT(active_policy == nullptr);
  active_policy = &policy;
  git_stream_registration registration{};
  registration.version = GIT_STREAM_VERSION;
  registration.init = make_stream;
  // TLS is layered over the standard stream, so this covers https too. ssh is not: its transport takes the socket out
  // of libgit2's own stream, and knows no redirects.
  git_stream_register(GIT_STREAM_STANDARD, &registration);
}

PolicedConnections::~PolicedConnections() {
  git_stream_register(GIT_STREAM_STANDARD, nullptr);
  active_policy = nullptr;
}

}  // namespace sebring::toolbox_git
