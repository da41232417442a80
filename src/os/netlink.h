#pragma once
// Requests to the kernel over netlink: several messages in one send, each acknowledged.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

class Netlink {
 public:
  // NETLINK_ROUTE, NETLINK_NETFILTER. `groups`: multicast bits to listen to, for sockets that only listen.
  static Result<Netlink> open(int protocol, std::uint32_t groups = 0);

  // Begins a message; NLM_F_REQUEST is added. Messages with NLM_F_ACK are waited for by run().
  template <class Body>
  void message(std::uint16_t type, std::uint16_t flags, const Body& body) {
    begin(type, flags, &body, sizeof body);
  }
  void attribute(std::uint16_t type, const void* data, std::size_t bytes);
  template <class Value>
  void attribute(std::uint16_t type, const Value& value) {
    attribute(type, &value, sizeof value);
  }
  void attribute_text(std::uint16_t type, std::string_view text);  // with its NUL
  // Opens a nested attribute; close it with end_nest(). Bodies without header (veth's peer) go in with raw().
  std::size_t begin_nest(std::uint16_t type);
  void end_nest(std::size_t nest);
  void raw(const void* data, std::size_t bytes);

  // Sends what was collected and waits for all acknowledgements. The first error is returned.
  Result<void> run(std::string_view doing);
  // Forgets what was collected.
  void clear();
  int fd() const { return fd_.get(); }

 private:
  explicit Netlink(UniqueFd fd) : fd_(std::move(fd)) {}
  void begin(std::uint16_t type, std::uint16_t flags, const void* body, std::size_t bytes);
  void end_message();
  std::size_t put(const void* data, std::size_t bytes);
  int wait_for_acknowledgements();

  UniqueFd fd_;
  std::vector<char> buffer_;
  std::size_t message_at_ = kNone;
  std::uint32_t sequence_ = 0;
  std::uint32_t first_sequence_ = 1;
  int acknowledgements_ = 0;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
};

}  // namespace sebring::os
