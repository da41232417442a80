#include "toolbox/body.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"

namespace sebring::toolbox {
namespace {

constexpr const char* kTag = "INVALID_REQUEST_BODY";

}  // namespace

net::asio::awaitable<Result<boost::json::object>> read_object(net::Exchange& exchange, std::size_t bytes_max) {
  SB_CO_TRY(const std::string body, co_await exchange.read_all(bytes_max));
  auto object = json::parse_object(body);
  if (!object) co_return fail(std::move(object.error()).tagged(kTag));
  co_return object;
}

Result<void> invalid_body(Result<void> found) {
  if (found) return found;
  return fail(std::move(found.error()).tagged(kTag));
}

net::asio::awaitable<Result<std::shared_ptr<net::WebSocket>>> accept_client(net::Exchange& exchange,
                                                                            std::size_t message_bytes_max,
                                                                            std::string preferred) {
  std::string selected;
  for (const std::string& offered : exchange.offered_subprotocols()) {
    if (!preferred.empty() && offered == preferred) {
      selected = offered;
      break;
    }
    if (selected.empty() && starts_with_ignore_case(offered, "X-Daytona-SDK-Version~")) selected = offered;
  }
  SB_CO_TRY(auto socket, co_await exchange.accept_websocket(
                             {.subprotocol = std::move(selected), .message_bytes_max = message_bytes_max}));
  co_return std::shared_ptr<net::WebSocket>(std::move(socket));
}

}  // namespace sebring::toolbox
