// GET /version, /user-home-dir, /project-dir, /work-dir, /port, /system/metrics; POST /env, /init.
#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox/answer.h"
#include "toolbox/body.h"
#include "toolbox/configuration.h"
#include "toolbox/context.h"
#include "toolbox/error_body.h"
#include "toolbox/metrics.h"
#include "toolbox/ports.h"

namespace sebring::toolbox {
namespace {

using net::asio::awaitable;

// The ports that this API speaks of.
constexpr std::uint16_t kFirstPort = 3000;
constexpr std::uint16_t kLastPort = 9999;
// What execve takes for environment and arguments together is 2 MiB by default, one string 128 KiB.
constexpr std::size_t kEnvironmentBytesMax = 1 << 20;
constexpr std::size_t kVariableBytesMax = 120 * 1024;

std::string one_field(std::string_view name, std::string_view value) {
  std::string json = "{";
  append_json_string(json, name);
  json += ':';
  append_json_string(json, value);
  return json + "}";
}

net::RouteHandler fixed(std::function<std::string()> body) {
  return simple([body = std::move(body)](const net::RequestHead&, const net::PathParameters&,
                                         std::string) -> awaitable<Result<net::Response>> {
    co_return net::Response::json(200, body());
  });
}

std::string ports_json() {
  std::string json = "{\"ports\":[";
  for (std::uint16_t port : listening_ports()) {
    if (port < kFirstPort || port > kLastPort) continue;
    if (json.back() != '[') json += ',';
    json += std::to_string(port);
  }
  return json + "]}";
}

awaitable<Result<net::Response>> port_in_use(const net::RequestHead&, const net::PathParameters& parameters,
                                             std::string) {
  const auto port = parse_integer(parameters["port"]);
  if (!port) co_return fail(Errc::invalid_argument, "invalid port: must be a number in range: 3000-9999");
  if (*port < kFirstPort || *port > kLastPort) {
    co_return fail(Errc::invalid_argument, "port out of range: must be in range: 3000-9999");
  }
  for (std::uint16_t listening : listening_ports()) {
    if (listening == *port) co_return net::Response::json(200, "{\"isInUse\":true}");
  }
  co_return net::Response::json(200, "{\"isInUse\":false}");
}

std::string environment_json(const Environment& environment) {
  std::string json = "{";
  for (const auto& [name, value] : environment) {
    if (json.size() > 1) json += ',';
    append_json_string(json, name);
    json += ':';
    append_json_string(json, value);
  }
  return json + "}";
}

Result<void> check_environment(const Environment& environment) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : environment) {
    if (value.find('\0') != std::string::npos)
      return fail(Errc::invalid_argument, "value of " + name + " has a NUL character");
    if (name.size() + value.size() > kVariableBytesMax)
      return fail(Errc::too_large, "value of " + name + " is too long");
    bytes += name.size() + value.size() + 2;
  }
  if (bytes > kEnvironmentBytesMax) return fail(Errc::too_large, "the environment would be too large");
  return {};
}

Result<Environment> changed_environment(const Context& context, const json::bj::object& body) {
  json::ObjectReader reader(body);
  const auto set = reader.text_map("set");
  const auto unset = reader.texts("unset");
  const auto prefix = reader.text("unsetValuePrefix");
  SB_CHECK(invalid_body(reader.finish()));
  Environment environment = context.environment;
  if (unset) {
    for (const std::string& name : *unset) {
      if (!is_environment_name(name))
        return fail(Errc::invalid_argument, "invalid environment variable name: '" + name + "'");
      environment.erase(name);
    }
  }
  if (prefix && !prefix->empty()) {
    std::erase_if(environment, [&](const auto& variable) { return variable.second.starts_with(*prefix); });
  }
  // What every process needs comes back with its first value.
  for (auto& variable : login_environment(context.user)) environment.insert(std::move(variable));
  if (set) {
    for (const auto& [name, value] : *set) {
      if (!is_environment_name(name))
        return fail(Errc::invalid_argument, "invalid environment variable name: '" + name + "'");
      environment[name] = value;
    }
  }
  SB_CHECK(check_environment(environment));
  return environment;
}

awaitable<Result<net::Response>> update_environment(Context& context, std::string body) {
  auto object = json::parse_object(body);
  if (!object) co_return fail(Errc::invalid_argument, object.error().message(), "INVALID_REQUEST_BODY");
  SB_CO_TRY(context.environment, changed_environment(context, *object));
  co_return net::Response::json(200, environment_json(context.environment));
}

awaitable<Result<net::Response>> initialize(const net::RequestHead&, const net::PathParameters&, std::string) {
  co_return fail(Errc::not_implemented, "the toolbox holds no token: whoever reaches it has been checked by the proxy");
}

awaitable<Result<net::Response>> no_desktop(const net::RequestHead&, const net::PathParameters&, std::string) {
  co_return fail(Errc::not_implemented, "computer use is not available in this version of sebring");
}

}  // namespace

void add_info_routes(net::Router& router, Context& context) {
  router.add("GET", "/version", fixed([&context] { return one_field("version", context.version); }));
  router.add("GET", "/user-home-dir", fixed([&context] { return one_field("dir", context.user.home); }));
  router.add("GET", "/project-dir", fixed([&context] { return one_field("dir", context.user.home); }));
  router.add("GET", "/work-dir", fixed([&context] { return one_field("dir", context.work_dir); }));
  router.add("GET", "/port", fixed(ports_json));
  router.add("GET", "/port/{port}/in-use", simple(port_in_use));
  auto metrics = std::make_shared<Metrics>(context);
  router.add("GET", "/system/metrics",
             simple([metrics](const net::RequestHead& request, const net::PathParameters&,
                              std::string) -> awaitable<Result<net::Response>> {
               const auto given = parse_resources(request.headers.find(kResourcesHeader).value_or(""));
               co_return net::Response::json(200, metrics->to_json(given));
             }));
  router.add("POST", "/env", simple([&context](const net::RequestHead&, const net::PathParameters&, std::string body) {
               return update_environment(context, std::move(body));
             }));
  router.add("POST", "/init", simple(initialize));
  router.add("*", "/computeruse/{rest...}", simple(no_desktop));
}

}  // namespace sebring::toolbox
