#include "api/snapshot_json.h"

#include <boost/json.hpp>

namespace sebring::api {
namespace bj = boost::json;

bj::object snapshot_json(const model::Snapshot& s) {
  bj::object object;
  object["id"] = s.id;
  if (!s.is_general()) object["organizationId"] = s.organization_id;
  object["general"] = s.is_general();
  object["name"] = s.name;
  if (!s.image_name.empty()) object["imageName"] = s.image_name;
  object["state"] = bj::string(model::to_text(s.state));
  object["size"] = s.size_bytes ? bj::value(static_cast<double>(*s.size_bytes) / model::kGiB) : bj::value(nullptr);
  bj::array entrypoint;
  for (const std::string& word : s.image.entrypoint) entrypoint.emplace_back(word);
  object["entrypoint"] = std::move(entrypoint);
  object["cpu"] = s.resources.cpu;
  object["gpu"] = s.resources.gpu;
  object["mem"] = s.resources.memory_gib;
  object["disk"] = s.resources.disk_gib;
  object["errorReason"] = s.error_reason ? bj::value(*s.error_reason) : bj::value(nullptr);
  object["createdAt"] = iso8601(s.created_at);
  object["updatedAt"] = iso8601(s.updated_at);
  object["lastUsedAt"] = s.last_used_at ? bj::value(iso8601(*s.last_used_at)) : bj::value(nullptr);
  object["regionIds"] = bj::array{bj::value(s.region_id)};
  object["sandboxClass"] = s.sandbox_class;
  if (s.source_sandbox_id) object["sourceSandboxId"] = *s.source_sandbox_id;
  return object;
}

}  // namespace sebring::api
