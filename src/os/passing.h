#pragma once
// Messages with descriptors over a SOCK_SEQPACKET socket.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};
// Send buffers large enough for one message of `message_bytes`.
Result<SocketPair> make_packet_pair(std::size_t message_bytes);

inline constexpr std::size_t kPassedMax = 8;
Result<void> send_message(int socket, std::string_view message, std::span<const int> fds = {});

struct Message {
  std::string data;  // empty with `ended`
  std::vector<UniqueFd> fds;
  bool ended = false;  // the peer has closed
};
// Waits at most `milliseconds` (-1: for ever); Errc::timed_out after it.
Result<Message> receive_message(int socket, std::size_t bytes_max, int milliseconds = -1);

}  // namespace sebring::os
