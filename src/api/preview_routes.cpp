// Ways into a sandbox from outside: previews, signed links, SSH.
#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"
#include "api/sandbox_json.h"
#include "control/sandbox_use_cases.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

constexpr std::int64_t kLinkSecondsMax = 86'400;
constexpr std::int64_t kSshMinutesMax = 525'600;

Result<std::uint16_t> read_port(const ApiRequest& request) {
  auto port = path_number(request, "port");
  if (!port || *port < 1 || *port > 65535) return fail(Errc::invalid_argument, "Invalid port");
  return static_cast<std::uint16_t>(*port);
}

std::string preview_url(const control::ControlConfig& config, std::uint16_t port, const std::string& label) {
  return config.preview_scheme + "://" + std::to_string(port) + "-" + label + "." + config.preview_domain;
}

// nullptr also for those of others.
const control::LiveSandbox* own_live(ApiContext& context, const ApiRequest& request, const std::string& id) {
  const auto* live = context.control.live.find(id);
  return live != nullptr && live->organization_id == request.caller.organization_id ? live : nullptr;
}

Error no_such_preview(const std::string& id) { return Error(Errc::not_found, "Sandbox with ID " + id + " not found"); }

asio::awaitable<Result<model::Sandbox>> own_sandbox(ApiContext& context, const ApiRequest& request) {
  return control::get_sandbox(context.control, request.caller.organization_id, request.path["id"]);
}

}  // namespace

SEBRING_HANDLER(has_preview_access) {
  SB_CO_CHECK(co_await own_sandbox(context, request));
  co_return json_response(200, bj::value(true));
}

// What somebody else's preview proxy asks. The original wants a key of the service for it; here any key of the
// organization will do, which could read the same from the sandbox itself. A "no" is the 404 of a sandbox that is not
// there, so that nobody learns of private ones by asking.
SEBRING_HANDLER(is_public) {
  const std::string& id = request.path["id"];
  const auto* live = own_live(context, request, id);
  if (live == nullptr || !live->is_public) co_return fail(no_such_preview(id));
  co_return json_response(200, bj::value(true));
}

SEBRING_HANDLER(is_preview_token) {
  const std::string id = request.path["id"];
  if (own_live(context, request, id) == nullptr) co_return fail(no_such_preview(id));
  auto grant = co_await context.access.authorize_run_token(id, request.path["authToken"]);
  if (!grant && grant.error().code() == Errc::unauthorized) co_return fail(no_such_preview(id));
  if (!grant) co_return fail(grant.error());
  co_return json_response(200, bj::value(true));
}

// Plain text, as the original sends it: clients read it as it stands.
SEBRING_HANDLER(find_signed_preview) {
  SB_CO_TRY(const std::uint16_t port, read_port(request));
  auto use = co_await context.access.use_preview_link(request.path["signedPreviewToken"], port);
  if (!use && use.error().code() != Errc::unauthorized) co_return fail(use.error());
  if (!use || own_live(context, request, use->sandbox_id) == nullptr) {
    co_return fail(Errc::forbidden, "Invalid or expired token");
  }
  co_return net::Response::text(200, use->sandbox_id, "text/html; charset=utf-8");
}

SEBRING_HANDLER(get_preview_url) {
  SB_CO_TRY(const std::uint16_t port, read_port(request));
  SB_CO_TRY(auto sandbox, co_await own_sandbox(context, request));
  co_return json_response(200, bj::object{{"sandboxId", sandbox.id},
                                          {"url", preview_url(context.control.config, port, sandbox.id)},
                                          {"token", sandbox.auth_token}});
}

SEBRING_HANDLER(get_signed_preview_url) {
  SB_CO_TRY(const std::uint16_t port, read_port(request));
  QueryReader query(request.query);
  const auto seconds = query.number("expiresInSeconds").value_or(60);
  SB_CO_CHECK(query.finish());
  if (seconds < 1 || seconds > kLinkSecondsMax) {
    co_return fail(Errc::invalid_argument, "expiresInSeconds must be between 1 second and 24 hours");
  }
  SB_CO_TRY(auto sandbox, co_await own_sandbox(context, request));
  SB_CO_TRY(auto made, co_await context.access.make_preview_link(sandbox.id, port, seconds));
  co_return json_response(200, bj::object{{"sandboxId", sandbox.id},
                                          {"port", port},
                                          {"token", made.text},
                                          {"url", preview_url(context.control.config, port, made.text)}});
}

SEBRING_HANDLER(expire_signed_preview_url) {
  SB_CO_TRY(const std::uint16_t port, read_port(request));
  SB_CO_TRY(auto sandbox, co_await own_sandbox(context, request));
  auto ended = co_await context.access.end_preview_link(sandbox.id, request.path["token"], port);
  if (!ended && ended.error().code() == Errc::not_found) co_return fail(Errc::forbidden, ended.error().message());
  if (!ended) co_return fail(ended.error());
  co_return net::Response::empty(201);
}

SEBRING_HANDLER(create_ssh_access) {
  QueryReader query(request.query);
  const auto minutes = query.integer("expiresInMinutes", 1, kSshMinutesMax).value_or(60);
  SB_CO_CHECK(query.finish());
  if (context.control.config.ssh_port == 0)
    co_return fail(Errc::not_implemented, "this server has no SSH gateway: its setting ssh-listen is off");
  SB_CO_TRY(auto sandbox, co_await own_sandbox(context, request));
  SB_CO_TRY(auto made, co_await context.access.make_ssh_token(sandbox.id, minutes));
  co_return json_response(200, bj::object{{"id", made.token.id},
                                          {"sandboxId", sandbox.id},
                                          {"token", made.text},
                                          {"expiresAt", iso8601(made.token.expires_at)},
                                          {"createdAt", iso8601(made.token.created_at)},
                                          {"updatedAt", iso8601(made.token.created_at)},
                                          {"sshCommand", ssh_command(context.control.config, made.text)}});
}

SEBRING_HANDLER(revoke_ssh_access) {
  QueryReader query(request.query);
  const std::string token = query.text("token").value_or("");
  SB_CO_TRY(auto sandbox, co_await own_sandbox(context, request));
  SB_CO_CHECK(co_await context.access.end_ssh_tokens(sandbox.id, token));
  co_return json_response(200, sandbox_json(context.control.config, sandbox));
}

SEBRING_HANDLER(validate_ssh_access) {
  QueryReader query(request.query);
  auto use = co_await context.access.use_ssh_token(query.text("token").value_or(""));
  if (!use && use.error().code() != Errc::unauthorized) co_return fail(use.error());
  const auto* live = use ? context.control.live.find(use->sandbox_id) : nullptr;
  const bool valid = live != nullptr && live->organization_id == request.caller.organization_id;
  co_return json_response(200, bj::object{{"valid", valid}, {"sandboxId", valid ? use->sandbox_id : ""}});
}

}  // namespace sebring::api
