#include "ssh/remote_forward.h"

#include <fcntl.h>
#include <libssh/server.h>
#include <sys/socket.h>

#include "base/text.h"
#include "ssh/toolbox_link.h"
#include "toolbox/channel_wire.h"

namespace sebring::ssh {
namespace {
constexpr std::size_t kOpeningMax = 32;
}

Result<std::unique_ptr<RemoteForward>> RemoteForward::open(std::string toolbox_socket, std::string address,
                                                           std::uint16_t port) {
  auto forward = std::make_unique<RemoteForward>();
  SB_TRY(forward->listener_, upgrade_toolbox(toolbox_socket, "/port/listen?port=" + std::to_string(port),
                                             toolbox::kListenUpgrade, forward->rest_));
  SB_TRY(const std::string line, read_line(forward->listener_.get(), forward->rest_));
  const auto bound = parse_integer(line);
  if (!bound || *bound < 1 || *bound > 65535) return fail(Errc::bad_gateway, "the toolbox named no port");
  forward->port_ = static_cast<std::uint16_t>(*bound);
  forward->toolbox_socket_ = std::move(toolbox_socket);
  forward->address_ = std::move(address);
  const int fd = forward->listener_.get();
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  return forward;
}

// "id address port"
void RemoteForward::fetch(ssh_session session, const std::string& line) {
  const auto parts = split(line, ' ');
  if (parts.size() != 3 || opening_.size() >= kOpeningMax) return;
  const auto port = parse_integer(parts[2]);
  if (!port || *port < 0 || *port > 65535 || parts[0].find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return;
  }
  std::string rest;
  auto server =
      upgrade_toolbox(toolbox_socket_, "/port/accept?id=" + std::string(parts[0]), toolbox::kTcpUpgrade, rest);
  if (!server) return;
  ssh_channel channel = ::ssh_channel_new(session);
  if (!channel) return;
  opening_.push_back({channel, std::move(*server), std::move(rest), std::string(parts[1]), static_cast<int>(*port)});
}

void RemoteForward::service(ssh_session session, std::vector<std::unique_ptr<Joint>>& joints) {
  char piece[4096];
  for (;;) {
    const ssize_t got = ::recv(listener_.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) over_ = true;
    if (got <= 0) break;
    rest_.append(piece, static_cast<std::size_t>(got));
    if (rest_.size() > 64 * 1024) {
      over_ = true;
      break;
    }
  }
  std::size_t end = 0;
  while ((end = rest_.find('\n')) != std::string::npos) {
    const std::string line = rest_.substr(0, end);
    rest_.erase(0, end + 1);
    fetch(session, line);
  }
  for (auto one = opening_.begin(); one != opening_.end();) {
    const int opened = ::ssh_channel_open_reverse_forward(one->channel, address_.c_str(), port_,
                                                          one->from_address.c_str(), one->from_port);
    if (opened == SSH_AGAIN) {
      ++one;
      continue;
    }
    if (opened == SSH_OK) {
      joints.push_back(std::make_unique<RawJoint>(one->channel, std::move(one->server), std::move(one->early)));
    } else {
      ::ssh_channel_free(one->channel);
    }
    one = opening_.erase(one);
  }
}

}  // namespace sebring::ssh
