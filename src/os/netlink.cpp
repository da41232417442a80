#include "os/netlink.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstddef>

namespace sebring::os {

Result<Netlink> Netlink::open(int protocol, std::uint32_t groups) {
  int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return fail_errno(errno, "open netlink");
  Netlink netlink{UniqueFd(fd)};
  if (groups) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
      return fail_errno(errno, "listen on netlink");
    int bytes = 4 << 20;  // a burst of a thousand links is about 2 MiB of events
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  }
  timeval limit{.tv_sec = 30, .tv_usec = 0};  // the kernel always answers; this is for the day when it does not
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return netlink;
}

std::size_t Netlink::put(const void* data, std::size_t bytes) {
  std::size_t at = buffer_.size();
  buffer_.resize(at + NLMSG_ALIGN(bytes), 0);
  if (data && bytes) std::memcpy(buffer_.data() + at, data, bytes);
  return at;
}

void Netlink::raw(const void* data, std::size_t bytes) { put(data, bytes); }

void Netlink::end_message() {
  if (message_at_ == kNone) return;
  auto length = static_cast<std::uint32_t>(buffer_.size() - message_at_);
  std::memcpy(buffer_.data() + message_at_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
  message_at_ = kNone;
}

void Netlink::begin(std::uint16_t type, std::uint16_t flags, const void* body, std::size_t bytes) {
  end_message();
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = ++sequence_;
  if (flags & NLM_F_ACK) ++acknowledgements_;
  message_at_ = put(&header, sizeof header);
  put(body, bytes);
}

void Netlink::attribute(std::uint16_t type, const void* data, std::size_t bytes) {
  nlattr header{static_cast<std::uint16_t>(NLA_HDRLEN + bytes), type};
  put(&header, sizeof header);
  put(data, bytes);
}

void Netlink::attribute_text(std::uint16_t type, std::string_view text) {
  std::string with_end(text);
  attribute(type, with_end.c_str(), with_end.size() + 1);
}

std::size_t Netlink::begin_nest(std::uint16_t type) {
  nlattr header{0, type};
  return put(&header, sizeof header);
}

void Netlink::end_nest(std::size_t nest) {
  auto length = static_cast<std::uint16_t>(buffer_.size() - nest);
  std::memcpy(buffer_.data() + nest + offsetof(nlattr, nla_len), &length, sizeof length);
}

void Netlink::clear() {
  buffer_.clear();
  message_at_ = kNone;
  acknowledgements_ = 0;
  first_sequence_ = sequence_ + 1;
}

// An aborted batch may leave messages without an answer, so the first error ends the wait; late answers carry old
// sequence numbers and are skipped by the next request.
int Netlink::wait_for_acknowledgements() {
  alignas(nlmsghdr) char answer[32768];
  while (acknowledgements_ > 0) {
    ssize_t n = ::recv(fd_.get(), answer, sizeof answer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    int left = static_cast<int>(n);
    for (auto* header = reinterpret_cast<nlmsghdr*>(answer); NLMSG_OK(header, static_cast<unsigned>(left));
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_seq < first_sequence_) continue;
      nlmsgerr body;
      std::memcpy(&body, NLMSG_DATA(header), sizeof body);
      if (body.error) return -body.error;
      --acknowledgements_;
    }
  }
  return 0;
}

Result<void> Netlink::run(std::string_view doing) {
  end_message();
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  int error = 0;
  if (::sendto(fd_.get(), buffer_.data(), buffer_.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) < 0)
    error = errno;
  else
    error = wait_for_acknowledgements();
  clear();
  if (error) return fail_errno(error, doing);
  return {};
}

}  // namespace sebring::os
