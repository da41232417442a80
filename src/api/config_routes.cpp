#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"
#include "api/sandbox_json.h"
#include "control/create_sandbox.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

bj::object region_json(const ApiContext& context, WallMs since) {
  const auto& config = context.control.config;
  return {{"id", config.region_id},        {"name", config.region_name},  {"organizationId", nullptr},
          {"regionType", "shared"},        {"createdAt", iso8601(since)}, {"updatedAt", iso8601(since)},
          {"proxyUrl", config.public_url}, {"sshGatewayUrl", nullptr},    {"snapshotManagerUrl", nullptr}};
}

asio::awaitable<Result<bj::object>> the_region(ApiContext& context) {
  SB_CO_TRY(auto organizations, co_await context.control.store.organizations.list());
  co_return region_json(context, organizations.empty() ? 0 : organizations.front().created_at);
}

}  // namespace

SEBRING_HANDLER(get_config) {
  const auto& config = context.control.config;
  // There is no login yet; the fields are required by clients, empty ones say that there is none.
  const bj::object oidc{{"issuer", ""}, {"clientId", ""}, {"audience", ""}, {"provider", "oidc"}};
  const bj::object object{
      {"version", config.version},
      {"oidc", oidc},
      {"linkedAccountsEnabled", false},
      {"announcements", bj::object()},
      {"proxyTemplateUrl", config.preview_scheme + "://{{PORT}}-{{sandboxId}}." + config.preview_domain},
      {"proxyToolboxUrl", toolbox_url(config)},
      {"defaultSnapshot", config.default_snapshot},
      {"dashboardUrl", config.public_url + "/dashboard"},
      {"maxAutoArchiveInterval", model::kArchiveIntervalMax},
      {"maintananceMode", false},
      {"environment", "production"},
      {"sshGatewayCommand", ssh_command(config, "{{TOKEN}}")},
      {"sshGatewayPublicKey", config.ssh_public_key}};
  co_return json_response(200, object);
}

SEBRING_HANDLER(get_health) {
  co_return json_response(200, bj::object{{"status", "ok"}, {"version", context.control.config.version}});
}

SEBRING_HANDLER(get_ready) {
  const bool runner = context.reconciler.in_step();
  auto read = co_await context.control.store.organizations.list();
  const auto word = [](bool up) { return bj::object{{"status", up ? "up" : "down"}}; };
  const bj::object details{{"database", word(read.has_value())}, {"runner", word(runner)}};
  if (!read || !runner) {
    co_return fail(Errc::unavailable, runner ? "The database cannot be read" : "The runner does not answer");
  }
  co_return json_response(
      200, bj::object{{"status", "ok"}, {"info", details}, {"error", bj::object()}, {"details", details}});
}

SEBRING_HANDLER(list_regions) {
  SB_CO_TRY(auto region, co_await the_region(context));
  co_return json_response(200, bj::array{std::move(region)});
}

SEBRING_HANDLER(get_region) {
  SB_CO_CHECK(control::resolve_region(context.control.config, request.path["id"]));
  SB_CO_TRY(auto region, co_await the_region(context));
  co_return json_response(200, region);
}

}  // namespace sebring::api
