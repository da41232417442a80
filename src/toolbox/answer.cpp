#include "toolbox/answer.h"

#include <boost/json.hpp>
#include <charconv>

#include "base/text.h"
#include "base/time.h"
#include "json/json.h"
#include "toolbox/error_body.h"

namespace sebring::toolbox {

net::Response error_response(const Error& error, const net::RequestHead& request) {
  const WireError wire = wire_error(error);
  return net::Response::json(wire.status, error_body(wire, request.method, request.path));
}

net::asio::awaitable<void> answer_error(net::Exchange& exchange, const Error& error) {
  if (exchange.status_sent() != 0) co_return;
  co_await exchange.respond(error_response(error, exchange.request()));
}

namespace {

net::asio::awaitable<void> run_simple(std::shared_ptr<SimpleHandler> handler, std::size_t body_bytes_max,
                                      net::Exchange& exchange, const net::PathParameters& parameters) {
  auto body = co_await exchange.read_all(body_bytes_max);
  if (!body) {
    co_await answer_error(exchange, body.error());
    co_return;
  }
  auto answer = co_await (*handler)(exchange.request(), parameters, *std::move(body));
  if (answer) {
    co_await exchange.respond(*std::move(answer));
  } else {
    co_await answer_error(exchange, answer.error());
  }
}

}  // namespace

net::RouteHandler simple(SimpleHandler handler, std::size_t body_bytes_max) {
  auto shared = std::make_shared<SimpleHandler>(std::move(handler));
  return [shared, body_bytes_max](net::Exchange& exchange, const net::PathParameters& parameters) {
    return run_simple(shared, body_bytes_max, exchange, parameters);
  };
}

std::optional<SdkVersion> parse_sdk_version(std::string_view text) {
  text = trim(text);
  if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  constexpr int kHighest = 1'000'000;
  if (text.find("dev") != std::string_view::npos) return SdkVersion{kHighest, 0, 0};
  SdkVersion version;
  int* const parts[] = {&version.major, &version.minor, &version.patch};
  for (int* part : parts) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *part);
    if (error != std::errc() || *part < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty() || text[0] != '.') break;
    text.remove_prefix(1);
  }
  return version;
}

std::optional<SdkVersion> sdk_version(const net::Exchange& exchange) {
  if (auto header = exchange.request().headers.find("X-Daytona-SDK-Version")) return parse_sdk_version(*header);
  constexpr std::string_view kPrefix = "X-Daytona-SDK-Version~";
  for (const std::string& offered : exchange.offered_subprotocols()) {
    if (starts_with_ignore_case(offered, kPrefix))
      return parse_sdk_version(std::string_view(offered).substr(kPrefix.size()));
  }
  return std::nullopt;
}

}  // namespace sebring::toolbox
