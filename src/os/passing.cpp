#include "os/passing.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace sebring::os {

Result<SocketPair> make_packet_pair(std::size_t message_bytes) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return fail_errno(errno, "make a socket pair");
  SocketPair pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
  int bytes = static_cast<int>(message_bytes);
  // The kernel counts bookkeeping too and doubles the value for it. FORCE needs CAP_NET_ADMIN; without it the system's
  // limit applies and large messages fail at sending, with an error.
  if (::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return pair;
}

Result<void> send_message(int socket, std::string_view message, std::span<const int> fds) {
  SB_ASSERT(fds.size() <= kPassedMax);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kPassedMax)] = {};
  iovec vector{const_cast<char*>(message.data()), message.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  if (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) return fail_errno(errno, "send a message");
  return {};
}

namespace {

void take_descriptors(msghdr& header, std::vector<UniqueFd>& into) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      into.emplace_back(fd);
    }
  }
}

}  // namespace

Result<Message> receive_message(int socket, std::size_t bytes_max, int milliseconds) {
  if (milliseconds >= 0) {
    pollfd wait{socket, POLLIN, 0};
    int n;
    while ((n = ::poll(&wait, 1, milliseconds)) < 0 && errno == EINTR) {
    }
    if (n == 0) return fail(Errc::timed_out, "wait for a message: no answer");
  }
  Message message;
  // Not filled: of the room for the longest message only what a message has is ever touched.
  message.data.resize_and_overwrite(bytes_max, [](char*, std::size_t size) { return size; });
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kPassedMax)];
  iovec vector{message.data.data(), message.data.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n;
  while ((n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (n < 0) return fail_errno(errno, "receive a message");
  take_descriptors(header, message.fds);
  if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    return fail(Errc::too_large, "receive a message: longer than agreed");
  message.data.resize(static_cast<std::size_t>(n));
  message.ended = n == 0;
  return message;
}

}  // namespace sebring::os
