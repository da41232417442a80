#pragma once
// Two streams joined until one of them ends.
#include <string>

#include "net/stream.h"

namespace sebring::proxy {

enum class HalfClose {
  ends_both,  // WebSocket: who stops sending has gone
  kept,       // raw protocols may close one direction and read on
};

// Copies both ways; `from_a` and `from_b` were read already and go first. An idle tunnel holds no buffer. Returns when
// both directions are over, or at once when either stream fails; both are closed then.
net::asio::awaitable<void> run_tunnel(net::ByteStream& a, std::string from_a, net::ByteStream& b, std::string from_b,
                                      HalfClose half_close);

}  // namespace sebring::proxy
