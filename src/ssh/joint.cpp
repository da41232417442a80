#include "ssh/joint.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace sebring::ssh {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
// Pieces one channel may move before the others get their turn.
constexpr int kPiecesPerTurn = 8;

}  // namespace

Joint::~Joint() {
  if (channel_) ::ssh_channel_free(channel_);
}

short Joint::wanted_events() const {
  if (!server_ || over_) return 0;
  short events = 0;
  if (!server_ended_ && room() > 0) events |= POLLIN;
  if (!to_server_.empty()) events |= POLLOUT;
  return events;
}

std::size_t Joint::room() const {
  if (!channel_ || !::ssh_channel_is_open(channel_)) return 0;
  return ::ssh_channel_window_size(channel_);
}

bool Joint::flush_to_server() {
  while (!to_server_.empty()) {
    const ssize_t sent = ::send(server_.get(), to_server_.data(), to_server_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      to_server_.erase(0, static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
    to_server_.clear();
    return false;
  }
  return true;
}

long Joint::receive(char* into, std::size_t size) {
  for (;;) {
    const ssize_t got = ::recv(server_.get(), into, size, MSG_DONTWAIT);
    if (got > 0) return got;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    return -1;
  }
}

void Joint::finish() {
  if (over_) return;
  over_ = true;
  if (channel_ && ::ssh_channel_is_open(channel_)) ::ssh_channel_close(channel_);
}

RawJoint::RawJoint(ssh_channel channel, UniqueFd server, std::string early) : Joint(channel), early_(std::move(early)) {
  ::fcntl(server.get(), F_SETFL, ::fcntl(server.get(), F_GETFL) | O_NONBLOCK);
  server_ = std::move(server);
}

bool RawJoint::from_client() {
  if (!to_server_.empty() || client_ended_) return false;
  char piece[kPieceBytes];
  const int got = ::ssh_channel_read_nonblocking(channel_, piece, sizeof piece, 0);
  if (got > 0) {
    to_server_.assign(piece, static_cast<std::size_t>(got));
    if (!flush_to_server()) client_ended_ = true;
    return true;
  }
  if (got == SSH_ERROR || ::ssh_channel_is_eof(channel_) || !::ssh_channel_is_open(channel_)) {
    client_ended_ = true;
    ::shutdown(server_.get(), SHUT_WR);
  }
  return false;
}

bool RawJoint::from_server() {
  const std::size_t window = room();
  if (server_ended_ || window == 0) return false;
  if (!early_.empty()) {
    const auto size = static_cast<std::uint32_t>(std::min(window, early_.size()));
    const int put = ::ssh_channel_write(channel_, early_.data(), size);
    if (put > 0) early_.erase(0, static_cast<std::size_t>(put));
    return put > 0;
  }
  char piece[kPieceBytes];
  const long got = receive(piece, std::min(window, sizeof piece));
  if (got > 0) return ::ssh_channel_write(channel_, piece, static_cast<std::uint32_t>(got)) == got;
  if (got < 0) {
    server_ended_ = true;
    if (!sent_eof_) ::ssh_channel_send_eof(channel_);
    sent_eof_ = true;
  }
  return false;
}

bool RawJoint::service() {
  if (over_) return false;
  if (!flush_to_server()) client_ended_ = true;
  bool more = false;
  for (int i = 0; i < kPiecesPerTurn; ++i) {
    const bool in = from_client();
    const bool out = from_server();
    more = in || out;
    if (!more) break;
  }
  // The last piece may have come with the channel's end, and still be on its way.
  const bool gone = !::ssh_channel_is_open(channel_) && to_server_.empty();
  if (gone || (server_ended_ && client_ended_)) finish();
  return more && !over_;
}

}  // namespace sebring::ssh
