#pragma once
// Errors and results of the toolbox on its wire (spec: the daemon's error shape).
#include <functional>
#include <optional>
#include <string>

#include "net/exchange.h"
#include "net/router.h"
#include "toolbox/paths.h"

namespace sebring::toolbox {

// {"statusCode","message","code","timestamp","path","method","source":"DAYTONA_DAEMON"}; the message gets the prefix of
// its kind ("not found: ", "bad request: ", ...) unless it has it already. code is the error's tag, else the default.
net::Response error_response(const Error& error, const net::RequestHead& request);

// Most endpoints: the body is read (bounded), the function's Result becomes the answer. The client going away does not
// cancel it.
using SimpleHandler = std::function<net::asio::awaitable<Result<net::Response>>(
    const net::RequestHead&, const net::PathParameters&, std::string body)>;
net::RouteHandler simple(SimpleHandler handler, std::size_t body_bytes_max = 16 << 20);

// For handlers that stream: sends error_response unless something was sent already.
net::asio::awaitable<void> answer_error(net::Exchange& exchange, const Error& error);

// Version of the SDK that asks, by header X-Daytona-SDK-Version or the subprotocol token "X-Daytona-SDK-Version~...":
// {0,190,0}; a leading v is accepted; "dev" versions are the highest. nullopt without one.
struct SdkVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const SdkVersion&) const = default;
};
std::optional<SdkVersion> sdk_version(const net::Exchange& exchange);
std::optional<SdkVersion> parse_sdk_version(std::string_view text);

}  // namespace sebring::toolbox
