#include "api/key_json.h"

#include <boost/json.hpp>

#include "json/json.h"

namespace sebring::api {
namespace bj = boost::json;
namespace {

bj::value date(const std::optional<WallMs>& time) { return time ? bj::value(iso8601(*time)) : bj::value(nullptr); }

bj::array permissions_array(const model::Permissions& permissions) {
  bj::array array;
  for (std::string_view name : permissions.names()) array.emplace_back(bj::string(name));
  return array;
}

}  // namespace

bj::object key_json(const model::ApiKey& key) {
  return {{"name", key.name},
          {"value", key.masked()},
          {"createdAt", iso8601(key.created_at)},
          {"permissions", permissions_array(key.permissions)},
          {"lastUsedAt", date(key.last_used_at)},
          {"expiresAt", date(key.expires_at)},
          {"userId", key.user_id},
          {"organizationId", key.organization_id}};
}

bj::object created_key_json(const control::CreatedKey& created) {
  return {{"name", created.key.name},
          {"value", created.value},
          {"createdAt", iso8601(created.key.created_at)},
          {"permissions", permissions_array(created.key.permissions)},
          {"expiresAt", date(created.key.expires_at)}};
}

Result<void> read_create_key(const bj::object& object, control::CreateKey& asked,
                             std::optional<model::Permissions> otherwise) {
  json::ObjectReader body(object);
  asked.name = body.required_text("name");
  auto names = body.texts("permissions");
  if (!names && !otherwise) body.error("permissions must be an array");
  if (!names && otherwise) asked.permissions = *otherwise;
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    auto permission = model::parse_permission(name);
    if (!permission) body.error("each value in permissions must be a known permission, not \"" + name + "\"");
    if (permission) asked.permissions.add(*permission);
  }
  if (auto text = body.text("expiresAt")) {
    asked.expires_at = parse_iso8601(*text);
    if (!asked.expires_at) body.error("expiresAt must be a Date instance");
  }
  return body.finish();
}

}  // namespace sebring::api
