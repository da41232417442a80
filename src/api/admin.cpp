#include "api/admin.h"

#include <boost/json.hpp>

#include "api/error_response.h"
#include "api/key_json.h"
#include "api/request.h"
#include "control/default_snapshots.h"
#include "json/json.h"

namespace sebring::api {
namespace bj = boost::json;
namespace {

constexpr std::size_t kBodyBytesMax = 1024 * 1024;

asio::awaitable<Result<bj::object>> read_object(net::Exchange& exchange) {
  SB_CO_TRY(auto text, co_await exchange.read_all(kBodyBytesMax));
  co_return json::parse_object(text);
}

}  // namespace

Admin::Admin(ApiContext& context) : context_(context) {
  add("POST", "/v1/keys", &Admin::create_key);
  add("GET", "/v1/keys", &Admin::list_keys);
  add("DELETE", "/v1/keys/{name}", &Admin::delete_key);
  add("PUT", "/v1/images/{name}", &Admin::put_image);
  add("GET", "/v1/status", &Admin::status);
}

void Admin::add(const char* method, const char* pattern, Method handler) {
  router_.add(method, pattern, [this, handler](net::Exchange& exchange, const net::PathParameters& path) {
    return run(exchange, path, handler);
  });
}

asio::awaitable<void> Admin::run(net::Exchange& exchange, const net::PathParameters& path, Method handler) {
  auto answer = co_await (this->*handler)(exchange, path);
  (void)co_await exchange.respond(
      answer ? std::move(*answer)
             : error_response(answer.error(), exchange.request().target, context_.control.clock.wall_ms()));
}

asio::awaitable<void> Admin::handle(net::Exchange& exchange) {
  const auto match = router_.match(exchange.request().method, exchange.request().path);
  if (match.route == nullptr) {
    (void)co_await exchange.respond(error_response(404, "There is no such call on the administration socket",
                                                   exchange.request().target, context_.control.clock.wall_ms()));
    co_return;
  }
  co_await match.route->handler(exchange, match.parameters);
}

asio::awaitable<Result<net::Response>> Admin::create_key(net::Exchange& exchange, const net::PathParameters&) {
  SB_CO_TRY(auto object, co_await read_object(exchange));
  SB_CO_TRY(auto organization, co_await control::ensure_organization(context_.control));
  control::CreateKey asked;
  asked.organization_id = organization.id;
  asked.user_id = organization.created_by;
  SB_CO_CHECK(read_create_key(object, asked, model::Permissions::all()));
  SB_CO_TRY(auto created, co_await control::create_key(context_.control, std::move(asked)));
  co_return json_response(201, created_key_json(created));
}

asio::awaitable<Result<net::Response>> Admin::list_keys(net::Exchange&, const net::PathParameters&) {
  SB_CO_TRY(auto organization, co_await control::ensure_organization(context_.control));
  SB_CO_TRY(auto keys, co_await context_.control.store.api_keys.list(organization.id));
  bj::array items;
  for (const auto& key : keys) items.push_back(key_json(key));
  co_return json_response(200, items);
}

asio::awaitable<Result<net::Response>> Admin::delete_key(net::Exchange&, const net::PathParameters& path) {
  SB_CO_TRY(auto organization, co_await control::ensure_organization(context_.control));
  SB_CO_CHECK(co_await control::delete_key(context_.control, context_.authenticator, organization.id,
                                           organization.created_by, path["name"]));
  co_return net::Response::empty(204);
}

asio::awaitable<Result<net::Response>> Admin::put_image(net::Exchange& exchange, const net::PathParameters& path) {
  SB_CO_TRY(auto object, co_await read_object(exchange));
  SB_CO_TRY(auto image, control::read_image_description(object));
  SB_CO_CHECK(co_await control::put_default_snapshots(context_.control, path["name"], std::move(image)));
  co_return json_response(200, bj::object{{"name", path["name"]}});
}

asio::awaitable<Result<net::Response>> Admin::status(net::Exchange&, const net::PathParameters&) {
  co_return json_response(
      200, bj::object{{"sandboxes", context_.control.live.size()}, {"runnerInStep", context_.reconciler.in_step()}});
}

}  // namespace sebring::api
