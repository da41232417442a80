#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/not_there.h"
#include "api/request.h"
#include "api/sandbox_json.h"
#include "base/text.h"
#include "control/create_sandbox.h"
#include "control/sandbox_use_cases.h"
#include "json/json.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

// Fields that change what the sandbox is. Taking them without doing what they say would be a lie.
Result<void> refuse_unknown_abilities(json::ObjectReader& body) {
  const auto missing = [](std::string_view field, std::string_view instead = {}) {
    return fail(Errc::not_implemented, not_there(field, instead));
  };
  // SDKs send `buildInfo` for the image that their user wrote; examples for curl have `image`.
  if (body.has("buildInfo")) {
    if (!trim(body.text("snapshot").value_or("")).empty()) {
      return fail(Errc::invalid_argument, "Cannot specify a snapshot when using a build info entry");
    }
    return missing("image (buildInfo)", kInsteadOfImages);
  }
  if (!trim(body.text("image").value_or("")).empty()) return missing("image", kInsteadOfImages);
  for (std::string_view field : {"outboundProxyUrl", "otelEndpointOverride"}) {
    if (!body.text(field).value_or("").empty()) return missing(field);
  }
  for (std::string_view field : {"kvm", "spot"}) {
    if (body.boolean(field).value_or(false)) return missing(field);
  }
  for (std::string_view field : {"secrets", "gpuType"}) {
    if (const bj::array* list = body.array(field); list != nullptr && !list->empty()) return missing(field);
  }
  return {};
}

std::vector<model::VolumeMount> read_volumes(json::ObjectReader& body) {
  std::vector<model::VolumeMount> volumes;
  const bj::array* array = body.array("volumes");
  if (array == nullptr) return volumes;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const bj::value& entry = (*array)[i];
    const std::string prefix = "volumes." + std::to_string(i) + ".";
    if (!entry.is_object()) {
      body.error(prefix + " must be an object");
      continue;
    }
    json::ObjectReader fields(entry.get_object(), prefix);
    volumes.push_back(
        {fields.required_text("volumeId"), fields.required_text("mountPath"), fields.text("subpath").value_or("")});
    if (auto read = fields.finish(); !read) body.error(read.error().message());
  }
  return volumes;
}

// Resources are whole numbers; 0 is as good as absent.
std::optional<int> read_amount(json::ObjectReader& body, std::string_view name) {
  auto amount = body.integer(name, 0, 1'000'000);
  if (!amount) return std::nullopt;
  return static_cast<int>(*amount);
}

Result<control::CreateSandbox> parse_create(const bj::object& object) {
  json::ObjectReader body(object);
  SB_CHECK(refuse_unknown_abilities(body));
  control::CreateSandbox create;
  create.name = body.text("name");
  create.snapshot = body.text("snapshot");
  create.user = body.text("user");
  create.env = body.text_map("env").value_or(model::TextMap{});
  create.labels = body.text_map("labels").value_or(model::TextMap{});
  create.target = body.text("target");
  create.is_public = body.boolean("public").value_or(false);
  create.network_block_all = body.boolean("networkBlockAll").value_or(false);
  create.network_allow_list = body.text("networkAllowList");
  create.domain_allow_list = body.text("domainAllowList");
  create.cpu = read_amount(body, "cpu");
  create.gpu = read_amount(body, "gpu");
  create.memory_gib = read_amount(body, "memory");
  create.disk_gib = read_amount(body, "disk");
  create.stop_minutes = body.integer("autoStopInterval");
  create.pause_minutes = body.integer("autoPauseInterval");
  create.archive_minutes = body.integer("autoArchiveInterval");
  create.destroy_minutes = body.integer("autoDeleteInterval");
  create.ttl_minutes = body.integer("ttlMinutes");
  body.integer("queueTimeout", 1);  // bounds a wait for a machine, which there is none of here
  create.volumes = read_volumes(body);
  create.linked_sandbox = body.text("linkedSandbox");
  SB_CHECK(body.finish());
  return create;
}

// The hash says whether a key comes back with the same request: path and body, as they were sent.
control::RequestKey request_key(const ApiRequest& request, const bj::object& body) {
  const auto key = request.exchange.request().headers.find("Idempotency-Key");
  if (!key || key->empty()) return {};
  return {std::string(*key), control::sha256_hex(request.exchange.request().target + "\n" + json::serialize(body))};
}

}  // namespace

SEBRING_HANDLER(create_sandbox) {
  SB_CO_TRY(auto object, co_await read_body(request));
  SB_CO_TRY(auto create, parse_create(object));
  create.organization_id = request.caller.organization_id;
  create.request = request_key(request, object);
  SB_CO_TRY(auto sandbox, co_await control::create_sandbox(context.control, std::move(create)));
  co_return json_response(200, sandbox_json(context.control.config, sandbox));
}

SEBRING_HANDLER(fork_sandbox) {
  SB_CO_TRY(auto object, co_await read_body(request));
  json::ObjectReader body(object);
  auto name = body.text("name");
  SB_CO_CHECK(body.finish());
  SB_CO_TRY(auto child,
            co_await control::fork_sandbox(context.control, request.caller.organization_id, request.path["id"],
                                           std::move(name), request_key(request, object)));
  co_return json_response(200, sandbox_json(context.control.config, child));
}

SEBRING_HANDLER(snapshot_sandbox) {
  SB_CO_TRY(auto object, co_await read_body(request));
  json::ObjectReader body(object);
  auto name = body.required_text("name");
  const bool memory = body.boolean("includeMemory").value_or(false);
  SB_CO_CHECK(body.finish());
  if (memory)
    co_return fail(Errc::not_implemented, not_there("includeMemory", "without it, a snapshot holds the disk"));
  SB_CO_TRY(auto sandbox, co_await control::snapshot_sandbox(context.control, request.caller.organization_id,
                                                             request.path["id"], std::move(name)));
  co_return json_response(200, sandbox_json(context.control.config, sandbox));
}

}  // namespace sebring::api
