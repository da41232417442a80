#pragma once
// Two streams joined until one of them ends.
#include <boost/asio/steady_timer.hpp>
#include <string>

#include "net/stream.h"
#include "proxy/websocket_frames.h"

namespace sebring::proxy {

// Copies both ways; `from_a` and `from_b` were read already and go first. An idle tunnel holds no buffer. Returns when
// both directions are over, or at once when either stream fails; both are closed then. A direction may end before the
// other.
net::asio::awaitable<void> run_tunnel(net::ByteStream& a, std::string from_a, net::ByteStream& b, std::string from_b);

// What has gone out to the client of a WebSocket.
struct ToClient {
  FrameBoundary frames;
  bool writing = false;  // a piece is under way, or was when it was given up
  bool may_close() const { return !writing && frames.between() && !frames.closed(); }
};
// The same for a WebSocket, where who stops sending has gone: returns when either side has, or when `over` expires.
// True when it was not the client. Closes the server's stream alone.
net::asio::awaitable<bool> run_websocket(net::ByteStream& client, std::string from_client, net::ByteStream& server,
                                         std::string from_server, ToClient& to_client, net::asio::steady_timer& over);
// Sends the close frame and waits, bounded, for the client to end as well.
net::asio::awaitable<void> close_websocket(net::ByteStream& client, std::string frame);

}  // namespace sebring::proxy
