#include "api/openapi.h"

#include <boost/json.hpp>

#include "api/routes.h"
#include "api/schemas.h"
#include "base/text.h"
#include "json/json.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

// A schema with a name of its own: generators name one that stands inline after its place, and "Sandbox" with "labels"
// is then the name of another schema.
constexpr std::string_view kTextMap = "TextMap";

bj::object reference(std::string_view name) { return {{"$ref", "#/components/schemas/" + std::string(name)}}; }

// "string", "date", "Sandbox[]", ... as a JSON schema.
bj::object schema_of(std::string_view type) {
  if (type.ends_with("[]")) {
    return {{"type", "array"}, {"items", schema_of(type.substr(0, type.size() - 2))}};
  }
  if (type == "date") return {{"type", "string"}, {"format", "date-time"}};
  if (type == "map") return reference(kTextMap);
  if (type[0] >= 'A' && type[0] <= 'Z') return reference(type);
  return {{"type", bj::string(type)}};
}

bj::object optional_schema(bj::object schema) {
  if (const bj::value* type = schema.if_contains("type"); type != nullptr && type->is_string()) {
    schema["type"] = bj::array{*type, "null"};
    return schema;
  }
  return {{"anyOf", bj::array{std::move(schema), bj::object{{"type", "null"}}}}};
}

bj::object schema_object(const SchemaEntry& entry) {
  if (entry.fields.starts_with("enum ")) {
    bj::array values;
    for (std::string_view value : split(entry.fields.substr(5), ' ')) values.emplace_back(bj::string(value));
    return {{"type", "string"}, {"enum", std::move(values)}};
  }
  bj::object properties;
  bj::array required;
  for (std::string_view field : split(entry.fields, ' ')) {
    const std::size_t colon = field.find(':');
    const std::string_view name = field.substr(0, colon);
    std::string_view type = field.substr(colon + 1);
    if (type.ends_with('?')) {
      properties[name] = optional_schema(schema_of(type.substr(0, type.size() - 1)));
    } else {
      properties[name] = schema_of(type);
      required.emplace_back(bj::string(name));
    }
  }
  return {{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

bool has_schema(std::string_view type) {
  if (type.ends_with("[]")) type = type.substr(0, type.size() - 2);
  if (type.empty() || type[0] < 'A' || type[0] > 'Z') return true;
  for (const SchemaEntry& entry : schemas()) {
    if (entry.name == type) return true;
  }
  return false;
}

bj::array parameters_of(const RouteEntry& route) {
  bj::array parameters;
  for (std::string_view part : split(route.pattern, '/')) {
    if (!part.starts_with('{')) continue;
    std::string_view name = part.substr(1, part.size() - 2);
    if (name.ends_with("...")) name = name.substr(0, name.size() - 3);
    parameters.push_back(
        bj::object{{"name", bj::string(name)}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  if (route.query.empty()) return parameters;
  for (std::string_view name : split(route.query, ' ')) {
    parameters.push_back(
        bj::object{{"name", bj::string(name)}, {"in", "query"}, {"required", false}, {"schema", {{"type", "string"}}}});
  }
  return parameters;
}

bj::object json_content(std::string_view type) { return {{"application/json", {{"schema", schema_of(type)}}}}; }

bj::object responses_of(const RouteEntry& route) {
  bj::object responses;
  if (route.handler != nullptr) {
    bj::object success{{"description", std::string(net::reason_phrase(route.status))}};
    if (!route.response.empty() && has_schema(route.response)) success["content"] = json_content(route.response);
    responses[std::to_string(route.status)] = std::move(success);
  } else {
    responses["501"] = bj::object{{"description", "Not available in this version"}, {"content", json_content("Error")}};
  }
  responses["default"] = bj::object{{"description", "An error"}, {"content", json_content("Error")}};
  return responses;
}

// "sandbox" of "/sandbox/{id}".
std::string tag_of(std::string_view pattern) {
  const auto parts = split(pattern, '/');
  return std::string(parts.size() > 1 ? parts[1] : parts[0]);
}

bj::object operation_of(const RouteEntry& route) {
  std::string summary(route.summary);
  if (route.handler == nullptr) summary = summary.empty() ? "Not available in this version" : summary + " (not yet)";
  bj::object operation{{"operationId", bj::string(route.operation)},
                       {"summary", summary},
                       {"tags", bj::array{bj::value(tag_of(route.pattern))}}};
  operation["parameters"] = parameters_of(route);
  if (!route.body.empty() && has_schema(route.body)) {
    operation["requestBody"] = bj::object{{"content", json_content(route.body)}};
  }
  operation["responses"] = responses_of(route);
  if (route.auth == Auth::open) operation["security"] = bj::array();
  if (route.permission != "-") operation["x-permission"] = bj::string(route.permission);
  return operation;
}

}  // namespace

std::string openapi_document(const std::string& version, const std::string& public_url) {
  bj::object paths;
  for (const RouteEntry& route : routes()) {
    if (route.method == "*") continue;
    const std::string path = "/api" + std::string(route.pattern);
    bj::value& item = paths[path];
    if (!item.is_object()) item = bj::object();
    item.get_object()[to_lower(route.method)] = operation_of(route);
  }
  bj::object components;
  components[kTextMap] = bj::object{{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
  for (const SchemaEntry& entry : schemas()) components[entry.name] = schema_object(entry);
  const bj::object document{
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "sebring"},
        {"version", version},
        {"description", "Sandboxes for code that nobody has read. Compatible with clients of the Daytona API."}}},
      {"servers", bj::array{bj::object{{"url", public_url}}}},
      {"security", bj::array{bj::object{{"bearer", bj::array()}}}},
      {"paths", std::move(paths)},
      {"components",
       {{"schemas", std::move(components)},
        {"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
  return json::serialize(document);
}

}  // namespace sebring::api
