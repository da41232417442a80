// /git/*: what a client asks becomes one call of the git helper.
#include <boost/json.hpp>

#include "json/json.h"
#include "toolbox/answer.h"
#include "toolbox/context.h"
#include "toolbox/git_routes_run.h"

namespace sebring::toolbox {
namespace {

namespace bj = boost::json;

// A commit may name very many files.
constexpr std::size_t kBodyBytesMax = 32 << 20;

struct Endpoint {
  const char* method;
  const char* path;
  const char* operation;
  int success_status;
};

constexpr Endpoint kEndpoints[] = {
    {"POST", "/git/clone", "clone", 200},
    {"GET", "/git/status", "status", 200},
    {"GET", "/git/branches", "list_branches", 200},
    {"POST", "/git/branches", "create_branch", 201},
    {"DELETE", "/git/branches", "delete_branch", 204},
    {"POST", "/git/checkout", "checkout", 200},
    {"POST", "/git/add", "add", 200},
    {"POST", "/git/commit", "commit", 200},
    {"POST", "/git/push", "push", 200},
    {"POST", "/git/pull", "pull", 200},
    {"GET", "/git/history", "history", 200},
    {"POST", "/git/init", "init", 201},
    {"GET", "/git/remotes", "list_remotes", 200},
    {"POST", "/git/remotes", "add_remote", 201},
    {"GET", "/git/config", "get_config", 200},
    {"POST", "/git/config", "set_config", 200},
    {"POST", "/git/config/user", "set_user", 200},
    {"POST", "/git/credentials", "store_credentials", 200},
    {"POST", "/git/reset", "reset", 200},
    {"POST", "/git/restore", "restore", 200},
};

// Requests without a body say the same in the query.
bj::object fields_of_query(const net::RequestHead& request) {
  bj::object fields;
  for (const auto& [name, value] : net::Query(request.query))
    if (!value.empty()) fields[name] = value;
  return fields;
}

net::asio::awaitable<Result<void>> serve_endpoint(const Endpoint& endpoint, Context& context, net::Exchange& exchange) {
  SB_CO_TRY(const std::string body, co_await exchange.read_all(kBodyBytesMax));
  GitCall call{endpoint.operation, {}, endpoint.success_status};
  if (exchange.request().method == "GET" || exchange.request().method == "HEAD") {
    call.fields = fields_of_query(exchange.request());
  } else {
    auto object = json::parse_object(body);
    if (!object) co_return fail(Errc::invalid_argument, object.error().message(), "INVALID_REQUEST_BODY");
    call.fields = *std::move(object);
  }
  SB_CO_CHECK(resolve_git_path(call.fields, context));
  co_return co_await run_git(context, exchange, std::move(call));
}

net::asio::awaitable<void> answer(const Endpoint& endpoint, Context& context, net::Exchange& exchange) {
  auto done = co_await serve_endpoint(endpoint, context, exchange);
  if (!done && done.error().code() != Errc::cancelled) co_await answer_error(exchange, done.error());
}

}  // namespace

void add_git_routes(net::Router& router, Context& context) {
  for (const Endpoint& endpoint : kEndpoints) {
    router.add(endpoint.method, endpoint.path,
               [&endpoint, &context](net::Exchange& exchange, const net::PathParameters&) {
                 return answer(endpoint, context, exchange);
               });
  }
}

}  // namespace sebring::toolbox
