#include "proxy/errors.h"

#include <boost/json.hpp>

#include "base/time.h"
#include "json/json.h"

namespace sebring::proxy {
namespace {

struct Shape {
  int status;
  std::string_view code;
  std::string_view prefix;
};

Shape shape_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return {400, "BAD_REQUEST", "bad request: "};
    case Errc::unauthorized:
      return {401, "UNAUTHORIZED", "unauthorized: "};
    case Errc::forbidden:
      return {403, "FORBIDDEN", "forbidden: "};
    case Errc::not_found:
      return {404, "NOT_FOUND", "not found: "};
    case Errc::timed_out:
      return {504, "GATEWAY_TIMEOUT", "gateway timeout: "};
    case Errc::conflict:
      return {409, "CONFLICT", "conflict: "};
    case Errc::gone:
      return {410, "GONE", "gone: "};
    case Errc::too_large:
      return {413, "PAYLOAD_TOO_LARGE", "payload too large: "};
    case Errc::unprocessable:
      return {422, "UNPROCESSABLE_ENTITY", "unprocessable: "};
    case Errc::exhausted:
      return {429, "TOO_MANY_REQUESTS", "too many requests: "};
    case Errc::not_implemented:
      return {501, "NOT_IMPLEMENTED", "not implemented: "};
    case Errc::bad_gateway:
      return {502, "BAD_GATEWAY", "bad gateway: "};
    case Errc::unavailable:
      return {503, "SERVICE_UNAVAILABLE", "service unavailable: "};
    case Errc::cancelled:
    case Errc::internal:
      break;
  }
  return {500, "INTERNAL_SERVER_ERROR", "internal server error: "};
}

// What a client may read of the request it sent: without the query, which may hold a credential.
std::string shown_path(const net::RequestHead& request) { return request.path; }

}  // namespace

int status_of(Errc code) { return shape_of(code).status; }

net::Response error_response(const Error& error, const net::RequestHead& request) {
  const Shape shape = shape_of(error.code());
  std::string message = error.message();
  if (!message.starts_with(shape.prefix)) message.insert(0, shape.prefix);
  boost::json::object body;
  body["statusCode"] = shape.status;
  body["message"] = message;
  body["code"] = error.tag().empty() ? shape.code : std::string_view(error.tag());
  body["timestamp"] = iso8601(system_clock().wall_ms());
  body["path"] = shown_path(request);
  body["method"] = request.method;
  body["source"] = "DAYTONA_PROXY";
  net::Response response = net::Response::json(shape.status, json::serialize(body));
  response.headers.set("Cache-Control", "no-store");
  if (shape.status == 429 || shape.status == 503) response.headers.set("Retry-After", "1");
  return response;
}

net::asio::awaitable<void> answer_error(net::Exchange& exchange, Error error) {
  if (exchange.status_sent() != 0) co_return;
  net::Response response = error_response(error, exchange.request());
  (void)co_await exchange.respond(std::move(response));
}

Error not_started(const std::string& state) {
  std::string message = "Sandbox is not started (state: " + state + ")";
  // The question is the original's: clients that start a stopped sandbox by themselves look for it.
  if (state == "stopped" || state == "archived" || state == "paused")
    message += ". Is the Sandbox started? Start the sandbox and try again.";
  return Error(Errc::invalid_argument, std::move(message));
}

}  // namespace sebring::proxy
