#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"
#include "api/snapshot_json.h"
#include "control/snapshots.h"

namespace sebring::api {
namespace bj = boost::json;

SEBRING_HANDLER(list_snapshots) {
  QueryReader query(request.query);
  store::SnapshotQuery asked;
  asked.organization_id = request.caller.organization_id;
  asked.page = query.integer("page", 1, 1'000'000'000).value_or(1);
  asked.limit = query.integer("limit", 1, 200).value_or(100);
  asked.name_part = query.text("name").value_or("");
  asked.source_sandbox_id = query.text("sourceSandboxId");
  const auto sort = query.choice("sort", {"name", "state", "lastUsedAt", "createdAt"}).value_or("lastUsedAt");
  if (sort == "name") asked.sort = store::SnapshotSort::name;
  if (sort == "state") asked.sort = store::SnapshotSort::state;
  if (sort == "createdAt") asked.sort = store::SnapshotSort::created_at;
  asked.ascending = query.choice("order", {"asc", "desc"}).value_or("desc") == "asc";
  SB_CO_CHECK(query.finish());
  SB_CO_TRY(auto page, co_await context.control.store.snapshots.list(asked));
  bj::array items;
  for (const auto& snapshot : page.items) items.push_back(snapshot_json(snapshot));
  co_return json_response(200, bj::object{{"items", std::move(items)},
                                          {"total", page.total},
                                          {"page", asked.page},
                                          {"totalPages", (page.total + asked.limit - 1) / asked.limit}});
}

SEBRING_HANDLER(get_snapshot) {
  SB_CO_TRY(auto snapshot,
            co_await control::get_snapshot(context.control, request.caller.organization_id, request.path["id"]));
  co_return json_response(200, snapshot_json(snapshot));
}

SEBRING_HANDLER(delete_snapshot) {
  SB_CO_CHECK(co_await control::delete_snapshot(context.control, request.caller.organization_id, request.path["id"]));
  co_return net::Response::empty(200);
}

SEBRING_HANDLER(activate_snapshot) {
  SB_CO_TRY(auto snapshot, co_await control::set_snapshot_active(context.control, request.caller.organization_id,
                                                                 request.path["id"], true));
  co_return json_response(200, snapshot_json(snapshot));
}

SEBRING_HANDLER(deactivate_snapshot) {
  SB_CO_TRY(auto snapshot, co_await control::set_snapshot_active(context.control, request.caller.organization_id,
                                                                 request.path["id"], false));
  co_return net::Response::empty(204);
}

}  // namespace sebring::api
