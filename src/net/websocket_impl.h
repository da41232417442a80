#pragma once
// Beast's WebSocket on a plain socket. Private to net.
#include "net/exchange.h"

namespace sebring::net {

// `key`: the client's Sec-WebSocket-Key, already checked. Sends the 101.
asio::awaitable<Result<std::unique_ptr<WebSocket>>> accept_websocket_on(Socket socket, std::string key,
                                                                        WebSocketOptions options);

}  // namespace sebring::net
