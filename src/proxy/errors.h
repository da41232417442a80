#pragma once
// Errors of the proxy on the wire: the daemon's JSON shape with source DAYTONA_PROXY.
#include "net/exchange.h"

namespace sebring::proxy {

// Code and prefix of the message follow from the error's kind: "not found: ...", NOT_FOUND.
net::Response error_response(const Error& error, const net::RequestHead& request);

// Status of an error towards the client; an upstream's time-out is 504.
int status_of(Errc code);

// Sends it unless something was sent already.
net::asio::awaitable<void> answer_error(net::Exchange& exchange, Error error);

// The sandbox is there and cannot serve: names its state and what to do. Errc::invalid_argument.
Error not_started(const std::string& state);

}  // namespace sebring::proxy
