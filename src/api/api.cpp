#include "api/api.h"

#include "api/error_response.h"
#include "api/not_there.h"
#include "api/openapi.h"
#include "api/routes.h"
#include "base/random.h"
#include "base/text.h"
#include "control/log.h"

namespace sebring::api {
namespace {

constexpr std::string_view kApiVersion = "0.190.0";

bool is_known_permission(std::string_view permission) {
  if (permission == "-") return true;
  for (std::string_view name : split(permission, '|')) {
    if (!model::parse_permission(name)) return false;
  }
  return true;
}

bool is_allowed(const RouteEntry& route, const control::Caller& caller) {
  if (route.permission == "-") return true;
  for (std::string_view name : split(route.permission, '|')) {
    if (caller.permissions.has(*model::parse_permission(name))) return true;
  }
  return false;
}

std::string bearer_of(const net::Headers& headers) {
  const auto value = headers.find("Authorization");
  if (!value || !starts_with_ignore_case(*value, "Bearer ")) return {};
  return std::string(trim(value->substr(7)));
}

// Any origin may ask, none with a visitor's cookies: the key is in a header that only who has it can set.
void add_common_headers(const net::RequestHead& request, net::Response& response) {
  response.headers.set("X-Daytona-Api-Version", std::string(kApiVersion));
  if (const auto origin = request.headers.find("Origin")) {
    response.headers.set("Access-Control-Allow-Origin", std::string(*origin));
    response.headers.add("Vary", "Origin");
  }
}

net::Response preflight(const net::RequestHead& request) {
  net::Response response = net::Response::empty(204);
  response.headers.add("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS");
  if (const auto wanted = request.headers.find("Access-Control-Request-Headers")) {
    response.headers.add("Access-Control-Allow-Headers", std::string(*wanted));
  }
  response.headers.add("Access-Control-Max-Age", "600");
  return response;
}

net::Response page() {
  net::Response response = net::Response::text(200, api_page(), "text/html; charset=utf-8");
  response.headers.add("Content-Security-Policy",
                       "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
                       "base-uri 'none'; frame-ancestors 'none'");
  return response;
}

std::unexpected<Error> no_route(const net::RequestHead& head) {
  return fail(Errc::not_found, "Cannot " + head.method + " " + head.target);
}

asio::awaitable<Result<control::Caller>> authorize(ApiContext& context, const RouteEntry& route,
                                                   const net::RequestHead& head) {
  if (route.auth == Auth::open) co_return control::Caller{};
  SB_CO_TRY(auto caller, co_await context.authenticator.authenticate(bearer_of(head.headers)));
  // A key belongs to one organization, so only a foreign one is refused. What is no id at all says nothing: SDKs put
  // the token of revoke_ssh_access there.
  const auto organization = head.headers.find("X-Daytona-Organization-ID");
  if (organization && is_uuid(*organization) && *organization != caller.organization_id) {
    co_return fail(Errc::forbidden, "Invalid authentication context");
  }
  // No key is one of a service or an administrator: those have sockets of their own.
  if (route.auth != Auth::key || !is_allowed(route, caller)) co_return fail(Errc::forbidden, "Access denied");
  co_return caller;
}

}  // namespace

Api::Api(ApiContext& context)
    : context_(context),
      events_(context),
      document_(openapi_document(context.control.config.version, context.control.config.public_url)) {
  for (const RouteEntry& route : routes()) {
    SB_ASSERT(!route.permission.empty() && is_known_permission(route.permission));
    router_.add(std::string(route.method), std::string(route.pattern), nullptr);
  }
}

Api::~Api() = default;

asio::awaitable<Result<net::Response>> Api::run(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.request();
  if (head.method == "OPTIONS") co_return preflight(head);
  if (head.path == "/api" || head.path == "/api/") co_return page();
  if (head.path == "/api-json") co_return net::Response::json(200, document_);
  const net::Router::Match match = router_.match(head.method, std::string_view(head.path).substr(4));
  if (match.bad_escape) co_return fail(Errc::invalid_argument, "Malformed URI");
  if (match.route == nullptr) co_return no_route(head);
  const RouteEntry* entry = nullptr;
  for (std::size_t i = 0; i < router_.routes().size(); ++i) {
    if (router_.routes()[i].get() == match.route) entry = &routes()[i];
  }
  SB_ASSERT(entry != nullptr);
  SB_CO_TRY(auto caller, co_await authorize(context_, *entry, head));
  if (entry->handler == nullptr) {
    co_return fail(Errc::not_implemented,
                   not_there(head.method + " " + std::string(entry->pattern), instead_of(entry->pattern)));
  }
  ApiRequest request{exchange, match.parameters, net::Query(head.query), std::move(caller)};
  co_return co_await entry->handler(context_, request);
}

asio::awaitable<void> Api::serve(net::Exchange& exchange) {
  if (SocketIo::wants(exchange.request().path)) co_return co_await events_.handle(exchange);
  auto answer = co_await run(exchange);
  net::Response response =
      answer ? std::move(*answer)
             : error_response(answer.error(), exchange.request().target, context_.control.clock.wall_ms());
  add_common_headers(exchange.request(), response);
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> Api::handle(net::Exchange& exchange) {
  std::string thrown;
  try {
    co_await serve(exchange);
    co_return;
  } catch (const std::exception& error) {
    thrown = error.what();
  }
  if (context_.control.tasks.stopping() || exchange.status_sent() != 0) co_return;
  auto response =
      error_response(Error(Errc::internal, thrown), exchange.request().target, context_.control.clock.wall_ms());
  add_common_headers(exchange.request(), response);
  (void)co_await exchange.respond(std::move(response));
}

}  // namespace sebring::api
