#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"
#include "api/sandbox_json.h"
#include "control/sandbox_use_cases.h"
#include "json/json.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

Result<net::Response> answer(const ApiContext& context, Result<model::Sandbox> sandbox) {
  if (!sandbox) return std::unexpected(std::move(sandbox).error());
  return json_response(200, sandbox_json(context.control.config, *sandbox));
}

Result<net::Response> answer(const ApiContext& context, Result<std::vector<model::Sandbox>> sandboxes) {
  if (!sandboxes) return std::unexpected(std::move(sandboxes).error());
  bj::array items;
  for (const auto& sandbox : *sandboxes) items.push_back(sandbox_json(context.control.config, sandbox));
  return json_response(200, items);
}

}  // namespace

SEBRING_HANDLER(get_sandbox) {
  SB_CO_TRY(const auto sandbox,
            co_await control::get_sandbox(context.control, request.caller.organization_id, request.path["id"]));
  auto object = sandbox_json(context.control.config, sandbox);
  use_known_states(object, request.exchange.request());
  co_return json_response(200, object);
}

SEBRING_HANDLER(delete_sandbox) {
  co_return answer(
      context, co_await control::delete_sandbox(context.control, request.caller.organization_id, request.path["id"]));
}

SEBRING_HANDLER(start_sandbox) {
  co_return answer(
      context, co_await control::start_sandbox(context.control, request.caller.organization_id, request.path["id"]));
}

SEBRING_HANDLER(stop_sandbox) {
  QueryReader query(request.query);
  const bool force = query.boolean("force").value_or(false);
  SB_CO_CHECK(query.finish());
  co_return answer(context, co_await control::stop_sandbox(context.control, request.caller.organization_id,
                                                           request.path["id"], force));
}

SEBRING_HANDLER(pause_sandbox) {
  co_return answer(
      context, co_await control::pause_sandbox(context.control, request.caller.organization_id, request.path["id"]));
}

SEBRING_HANDLER(archive_sandbox) {
  co_return answer(
      context, co_await control::archive_sandbox(context.control, request.caller.organization_id, request.path["id"]));
}

SEBRING_HANDLER(backup_sandbox) {
  auto sandbox = co_await control::backup_sandbox(context.control, request.caller.organization_id, request.path["id"]);
  if (!sandbox) co_return fail(sandbox.error());
  co_return json_response(201, sandbox_json(context.control.config, *sandbox));
}

SEBRING_HANDLER(recover_sandbox) {
  QueryReader query(request.query);
  const bool skip_start = query.boolean("skipStart").value_or(false);
  SB_CO_CHECK(query.finish());
  co_return answer(context, co_await control::recover_sandbox(context.control, request.caller.organization_id,
                                                              request.path["id"], skip_start));
}

SEBRING_HANDLER(resize_sandbox) {
  SB_CO_TRY(auto object, co_await read_body(request));
  json::ObjectReader body(object);
  const auto amount = [&body](std::string_view name) -> std::optional<int> {
    auto value = body.integer(name, 1, 1'000'000);
    return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
  };
  const model::Resize asked{amount("cpu"), amount("memory"), amount("disk")};
  SB_CO_CHECK(body.finish());
  co_return answer(context, co_await control::resize_sandbox(context.control, request.caller.organization_id,
                                                             request.path["id"], asked));
}

SEBRING_HANDLER(list_ancestors) {
  co_return answer(
      context, co_await control::list_ancestors(context.control, request.caller.organization_id, request.path["id"]));
}

SEBRING_HANDLER(list_forks) {
  QueryReader query(request.query);
  const bool with_destroyed = query.boolean("includeDestroyed").value_or(false);
  SB_CO_CHECK(query.finish());
  co_return answer(context, co_await control::list_forks(context.control, request.caller.organization_id,
                                                         request.path["id"], with_destroyed));
}

SEBRING_HANDLER(get_parent) {
  co_return answer(context,
                   co_await control::get_parent(context.control, request.caller.organization_id, request.path["id"]));
}

}  // namespace sebring::api
