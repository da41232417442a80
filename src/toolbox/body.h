#pragma once
// What the handlers of JSON bodies and WebSockets have in common.
#include <boost/json/object.hpp>
#include <memory>

#include "net/exchange.h"

namespace sebring::toolbox {

// The body as an object; errors are tagged INVALID_REQUEST_BODY.
net::asio::awaitable<Result<boost::json::object>> read_object(net::Exchange& exchange, std::size_t bytes_max);
// Tags what ObjectReader::finish() found.
Result<void> invalid_body(Result<void> found);

// Accepts an upgrade. Of the offered subprotocols that with the client's version is selected, as clients expect that
// offer one; `preferred` goes before it.
net::asio::awaitable<Result<std::shared_ptr<net::WebSocket>>> accept_client(net::Exchange& exchange,
                                                                            std::size_t message_bytes_max = 1 << 20,
                                                                            std::string preferred = "");

}  // namespace sebring::toolbox
