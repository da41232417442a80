// Keys manage keys here: the original takes only a browser's login for it, which a server without one has not. A key
// can give away what it may do itself, no more.
#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/key_json.h"
#include "api/request.h"

namespace sebring::api {
namespace bj = boost::json;

SEBRING_HANDLER(list_keys) {
  SB_CO_TRY(auto keys, co_await context.control.store.api_keys.list(request.caller.organization_id));
  bj::array items;
  for (const auto& key : keys) items.push_back(key_json(key));
  co_return json_response(200, items);
}

SEBRING_HANDLER(create_key) {
  SB_CO_TRY(auto object, co_await read_body(request));
  control::CreateKey asked;
  asked.organization_id = request.caller.organization_id;
  asked.user_id = request.caller.user_id;
  SB_CO_CHECK(read_create_key(object, asked, std::nullopt));
  for (std::string_view name : asked.permissions.names()) {
    if (!request.caller.permissions.has(*model::parse_permission(name)))
      co_return fail(Errc::forbidden, "Access denied");
  }
  SB_CO_TRY(auto created, co_await control::create_key(context.control, std::move(asked)));
  co_return json_response(201, created_key_json(created));
}

SEBRING_HANDLER(get_current_key) {
  SB_CO_TRY(auto key, co_await control::get_key(context.control, request.caller.organization_id, request.caller.user_id,
                                                request.caller.key_name));
  co_return json_response(200, key_json(key));
}

SEBRING_HANDLER(get_key) {
  SB_CO_TRY(auto key, co_await control::get_key(context.control, request.caller.organization_id, request.caller.user_id,
                                                request.path["name"]));
  co_return json_response(200, key_json(key));
}

namespace {

// A key with fewer permissions must not take away one with more.
asio::awaitable<Result<net::Response>> remove(ApiContext& context, ApiRequest& request, std::string user_id) {
  SB_CO_TRY(auto key,
            co_await control::get_key(context.control, request.caller.organization_id, user_id, request.path["name"]));
  const bool own = key.name == request.caller.key_name && key.user_id == request.caller.user_id;
  for (std::string_view name : key.permissions.names()) {
    if (!own && !request.caller.permissions.has(*model::parse_permission(name))) {
      co_return fail(Errc::forbidden, "Access denied");
    }
  }
  SB_CO_CHECK(co_await control::delete_key(context.control, context.authenticator, request.caller.organization_id,
                                           user_id, request.path["name"]));
  co_return net::Response::empty(204);
}

}  // namespace

SEBRING_HANDLER(delete_key) { return remove(context, request, request.caller.user_id); }
SEBRING_HANDLER(delete_key_of_user) { return remove(context, request, request.path["userId"]); }

}  // namespace sebring::api
