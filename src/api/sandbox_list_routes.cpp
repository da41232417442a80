#include <algorithm>
#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"
#include "api/sandbox_json.h"
#include "base/text.h"
#include "control/create_sandbox.h"
#include "json/json.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;
using store::SandboxSort;

constexpr std::int64_t kAmountMax = 1'000'000'000;

bool is_date(SandboxSort sort) {
  return sort == SandboxSort::created_at || sort == SandboxSort::last_activity_at || sort == SandboxSort::updated_at;
}

// {"sortValue": ..., "id": "..."} in base64; opaque to clients.
std::string write_cursor(const store::Cursor& cursor, SandboxSort sort) {
  bj::object object;
  const auto number = parse_integer(cursor.value);
  if (is_date(sort) && number) {
    object["sortValue"] = iso8601(*number);
  } else if (sort != SandboxSort::name && number) {
    object["sortValue"] = *number;
  } else {
    object["sortValue"] = cursor.value;
  }
  object["id"] = cursor.id;
  return base64_encode(json::serialize(object));
}

Result<store::Cursor> read_cursor(const std::string& text, SandboxSort sort) {
  const Error invalid(Errc::invalid_argument, "Invalid cursor provided: " + text);
  const auto bytes = base64_decode(text);
  if (!bytes) return fail(invalid);
  auto object = json::parse_object(*bytes);
  if (!object) return fail(invalid);
  const bj::value* id = object->if_contains("id");
  const bj::value* value = object->if_contains("sortValue");
  if (id == nullptr || value == nullptr || !id->is_string()) return fail(invalid);
  store::Cursor cursor{"", std::string(id->get_string())};
  if (is_date(sort)) {
    const auto time = value->is_string() ? parse_iso8601(value->get_string()) : std::nullopt;
    if (!time) return fail(invalid);
    cursor.value = std::to_string(*time);
  } else if (sort == SandboxSort::name) {
    if (!value->is_string()) return fail(invalid);
    cursor.value = std::string(value->get_string());
  } else {
    if (!value->is_int64()) return fail(invalid);
    cursor.value = std::to_string(value->get_int64());
  }
  return cursor;
}

void read_labels(QueryReader& query, store::SandboxFilter& filter) {
  auto text = query.text("labels");
  if (!text || *text == "null") return;  // Python clients up to 0.18x write their None so
  auto object = json::parse_object(*text);
  if (!object) {
    query.error("Invalid labels JSON format");
    return;
  }
  for (const auto& entry : *object) {
    if (!entry.value().is_string()) {
      query.error("Invalid labels JSON format");
      return;
    }
    filter.labels.emplace_back(entry.key(), std::string(entry.value().get_string()));
  }
}

void read_states(QueryReader& query, store::SandboxFilter& filter) {
  for (const std::string& name : query.texts("states")) {
    auto state = model::parse_sandbox_state(name);
    if (!state || *state == model::SandboxState::destroyed) {
      query.error("each value in states must be one of the sandbox states other than destroyed");
      return;
    }
    filter.states.push_back(*state);
  }
}

// The names of regions, their habits' names too, as ids; an unknown one matches nothing.
std::vector<std::string> read_regions(const control::ControlConfig& config, const std::vector<std::string>& names) {
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    auto id = control::resolve_region(config, name);
    ids.push_back(id ? *id : name);
  }
  return ids;
}

store::SandboxFilter read_filter(const ApiContext& context, const ApiRequest& request, QueryReader& query,
                                 std::string_view regions) {
  store::SandboxFilter filter;
  filter.organization_id = request.caller.organization_id;
  filter.id_prefix = query.text("id").value_or("");
  filter.name_prefix = query.text("name").value_or("");
  read_labels(query, filter);
  read_states(query, filter);
  filter.with_errored_deleted = query.boolean("includeErroredDeleted").value_or(false);
  filter.snapshots = query.texts("snapshots");
  filter.region_ids = read_regions(context.control.config, query.texts(regions));
  filter.classes = query.texts("sandboxClasses");
  filter.cpu_min = query.integer("minCpu", 0, kAmountMax);
  filter.cpu_max = query.integer("maxCpu", 0, kAmountMax);
  filter.gpu_min = query.integer("minGpu", 0, kAmountMax);
  filter.gpu_max = query.integer("maxGpu", 0, kAmountMax);
  filter.memory_min = query.integer("minMemoryGiB", 0, kAmountMax);
  filter.memory_max = query.integer("maxMemoryGiB", 0, kAmountMax);
  filter.disk_min = query.integer("minDiskGiB", 0, kAmountMax);
  filter.disk_max = query.integer("maxDiskGiB", 0, kAmountMax);
  filter.is_public = query.boolean("isPublic");
  filter.is_recoverable = query.boolean("isRecoverable");
  filter.created_after = query.date("createdAtAfter");
  filter.created_before = query.date("createdAtBefore");
  filter.active_after = query.date("lastEventAfter");
  filter.active_before = query.date("lastEventBefore");
  filter.destroy_after = query.date("autoDestroyAtAfter");
  filter.destroy_before = query.date("autoDestroyAtBefore");
  query.boolean("includeWarm");  // there are none that nobody has claimed
  return filter;
}

SandboxSort cursor_sort(const std::string& name) {
  if (name == "name") return SandboxSort::name;
  if (name == "cpu") return SandboxSort::cpu;
  if (name == "memoryGib") return SandboxSort::memory;
  if (name == "diskGib") return SandboxSort::disk;
  if (name == "createdAt") return SandboxSort::created_at;
  return SandboxSort::last_activity_at;
}

SandboxSort numbered_sort(const std::string& name) {
  if (name == "id") return SandboxSort::id;
  if (name == "name") return SandboxSort::name;
  if (name == "state") return SandboxSort::state;
  if (name == "snapshot") return SandboxSort::snapshot;
  if (name == "region") return SandboxSort::region;
  if (name == "updatedAt") return SandboxSort::updated_at;
  if (name == "lastActivityAt") return SandboxSort::last_activity_at;
  return SandboxSort::created_at;
}

}  // namespace

SEBRING_HANDLER(list_sandboxes) {
  QueryReader query(request.query);
  auto filter = read_filter(context, request, query, "regionIds");
  store::CursorQuery asked;
  asked.limit = query.integer("limit", 1, 200).value_or(100);
  asked.sort = cursor_sort(
      query.choice("sort", {"name", "cpu", "memoryGib", "diskGib", "lastActivityAt", "createdAt"}).value_or(""));
  asked.ascending = query.choice("order", {"asc", "desc"}).value_or("desc") == "asc";
  const auto cursor = query.text("cursor");
  SB_CO_CHECK(query.finish());
  if (cursor) {
    SB_CO_TRY(asked.after, read_cursor(*cursor, asked.sort));
  }
  SB_CO_TRY(auto page, co_await context.control.store.sandboxes.list(std::move(filter), asked));
  bj::array items;
  items.reserve(page.items.size());
  for (const auto& sandbox : page.items) {
    auto item = sandbox_item_json(context.control.config, sandbox);
    use_known_states(item, request.exchange.request());
    items.push_back(std::move(item));
  }
  bj::object object{{"items", std::move(items)}};
  object["nextCursor"] = page.next ? bj::value(write_cursor(*page.next, asked.sort)) : bj::value(nullptr);
  co_return json_response(200, object);
}

SEBRING_HANDLER(list_sandboxes_paginated) {
  QueryReader query(request.query);
  auto filter = read_filter(context, request, query, "regions");
  store::NumberedQuery asked;
  asked.page = query.integer("page", 1, kAmountMax).value_or(1);
  asked.limit = query.integer("limit", 1, 200).value_or(100);
  asked.sort = numbered_sort(
      query.choice("sort", {"id", "name", "state", "snapshot", "region", "updatedAt", "createdAt", "lastActivityAt"})
          .value_or(""));
  asked.ascending = query.choice("order", {"asc", "desc"}).value_or("desc") == "asc";
  SB_CO_CHECK(query.finish());
  SB_CO_TRY(auto page, co_await context.control.store.sandboxes.list_numbered(std::move(filter), asked));
  bj::array items;
  items.reserve(page.items.size());
  for (const auto& sandbox : page.items) {
    auto item = sandbox_json(context.control.config, sandbox);
    use_known_states(item, request.exchange.request());
    items.push_back(std::move(item));
  }
  co_return json_response(200, bj::object{{"items", std::move(items)},
                                          {"total", page.total},
                                          {"page", asked.page},
                                          {"totalPages", (page.total + asked.limit - 1) / asked.limit}});
}

}  // namespace sebring::api
