#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"
#include "api/sandbox_json.h"
#include "control/sandbox_use_cases.h"
#include "json/json.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

asio::awaitable<Result<net::Response>> set(ApiContext& context, ApiRequest& request, control::Interval which,
                                           std::string_view name) {
  SB_CO_TRY(auto minutes, path_number(request, name));
  SB_CO_TRY(auto sandbox, co_await control::set_interval(context.control, request.caller.organization_id,
                                                         request.path["id"], which, minutes));
  co_return json_response(201, sandbox_json(context.control.config, sandbox));
}

bj::object labels_object(const model::TextMap& labels) {
  bj::object object;
  for (const auto& [key, value] : labels) object[key] = value;
  return object;
}

}  // namespace

SEBRING_HANDLER(set_stop_interval) { return set(context, request, control::Interval::stop, "interval"); }
SEBRING_HANDLER(set_pause_interval) { return set(context, request, control::Interval::pause, "interval"); }
SEBRING_HANDLER(set_archive_interval) { return set(context, request, control::Interval::archive, "interval"); }
SEBRING_HANDLER(set_delete_interval) { return set(context, request, control::Interval::destroy, "interval"); }
SEBRING_HANDLER(set_ttl) { return set(context, request, control::Interval::ttl, "ttlMinutes"); }

SEBRING_HANDLER(set_labels) {
  SB_CO_TRY(auto object, co_await read_body(request));
  json::ObjectReader body(object);
  auto labels = body.text_map("labels");
  if (!labels) body.error("labels should not be null or undefined");
  SB_CO_CHECK(body.finish());
  SB_CO_TRY(auto sandbox, co_await control::set_labels(context.control, request.caller.organization_id,
                                                       request.path["id"], std::move(*labels)));
  co_return json_response(200, bj::object{{"labels", labels_object(sandbox.labels)}});
}

SEBRING_HANDLER(set_network) {
  SB_CO_TRY(auto object, co_await read_body(request));
  json::ObjectReader body(object);
  control::NetworkChange change{body.boolean("networkBlockAll"), body.text("networkAllowList"),
                                body.text("domainAllowList")};
  SB_CO_CHECK(body.finish());
  SB_CO_TRY(auto sandbox, co_await control::set_network(context.control, request.caller.organization_id,
                                                        request.path["id"], std::move(change)));
  co_return json_response(200, sandbox_json(context.control.config, sandbox));
}

SEBRING_HANDLER(set_public) {
  const std::string& text = request.path["isPublic"];
  if (text != "true" && text != "false") {
    co_return fail(Errc::invalid_argument, "Validation failed (boolean string is expected)");
  }
  SB_CO_TRY(auto sandbox, co_await control::set_public(context.control, request.caller.organization_id,
                                                       request.path["id"], text == "true"));
  co_return json_response(201, sandbox_json(context.control.config, sandbox));
}

SEBRING_HANDLER(touch_activity) {
  SB_CO_TRY(auto sandbox,
            co_await control::get_sandbox(context.control, request.caller.organization_id, request.path["id"]));
  context.access.touch_activity(sandbox.id);
  co_return net::Response::empty(201);
}

SEBRING_HANDLER(get_toolbox_url) {
  SB_CO_TRY(auto sandbox,
            co_await control::get_sandbox(context.control, request.caller.organization_id, request.path["id"]));
  co_return json_response(200, bj::object{{"url", toolbox_url(context.control.config)}});
}

SEBRING_HANDLER(get_signing_key) {
  SB_CO_TRY(auto sandbox,
            co_await control::get_sandbox(context.control, request.caller.organization_id, request.path["id"]));
  co_return json_response(200, bj::value(sandbox.signing_key));
}

SEBRING_HANDLER(rotate_signing_key) {
  SB_CO_TRY(auto key,
            co_await control::rotate_signing_key(context.control, request.caller.organization_id, request.path["id"]));
  co_return json_response(200, bj::value(key));
}

}  // namespace sebring::api
