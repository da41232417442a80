#include <boost/json.hpp>

#include "api/handlers.h"
#include "api/request.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;

bj::object organization_json(const control::ControlConfig& config, const model::Organization& o) {
  const auto& limits = config.limits;
  bj::object object{{"id", o.id},
                    {"name", o.name},
                    {"createdBy", o.created_by},
                    {"personal", o.personal},
                    {"createdAt", iso8601(o.created_at)},
                    {"updatedAt", iso8601(o.updated_at)},
                    {"suspended", false},
                    {"suspendedAt", nullptr},
                    {"suspensionReason", nullptr},
                    {"suspendedUntil", nullptr},
                    {"suspensionCleanupGracePeriodHours", 0},
                    {"maxCpuPerSandbox", limits.cpu_per_sandbox},
                    {"maxMemoryPerSandbox", limits.memory_gib_per_sandbox},
                    {"maxDiskPerSandbox", limits.disk_gib_per_sandbox},
                    {"snapshotDeactivationTimeoutMinutes", 20160},
                    {"sandboxLimitedNetworkEgress", false},
                    {"defaultRegionId", o.default_region_id},
                    {"experimentalConfig", bj::object()},
                    {"otelConfig", nullptr},
                    {"secretQuota", 0},
                    {"maxSecretsPerSandbox", 0},
                    {"previewWarningEnabled", false},
                    {"ssoEnabled", false},
                    {"scimEnabled", false}};
  for (const char* limit : {"authenticatedRateLimit", "sandboxCreateRateLimit", "sandboxLifecycleRateLimit",
                            "authenticatedRateLimitTtlSeconds", "sandboxCreateRateLimitTtlSeconds",
                            "sandboxLifecycleRateLimitTtlSeconds"}) {
    object[limit] = nullptr;
  }
  return object;
}

// The organization of the path, when it is the caller's. Another one answers as one that is not there.
asio::awaitable<Result<model::Organization>> own_organization(ApiContext& context, const ApiRequest& request) {
  const std::string& id = request.path["organizationId"];
  if (id == request.caller.organization_id) {
    SB_CO_TRY(auto found, co_await context.control.store.organizations.find(id));
    if (found) co_return std::move(*found);
  }
  co_return fail(Errc::not_found, "Organization with ID " + id + " not found");
}

bj::value quota(int total) { return total > 0 ? bj::value(total) : bj::value(-1); }

bj::object region_usage(const ApiContext& context, const ApiRequest& request) {
  const auto& limits = context.control.config.limits;
  const auto used = context.control.live.used(request.caller.organization_id);
  return {{"regionId", context.control.config.region_id},
          {"sandboxClass", "container"},
          {"totalCpuQuota", quota(limits.cpu_total)},
          {"currentCpuUsage", used.cpu},
          {"totalMemoryQuota", quota(limits.memory_gib_total)},
          {"currentMemoryUsage", used.memory_gib},
          {"totalDiskQuota", quota(limits.disk_gib_total)},
          {"currentDiskUsage", used.disk_gib},
          {"totalGpuQuota", 0},
          {"currentGpuUsage", 0},
          {"maxCpuPerSandbox", limits.cpu_per_sandbox},
          {"maxMemoryPerSandbox", limits.memory_gib_per_sandbox},
          {"maxDiskPerSandbox", limits.disk_gib_per_sandbox},
          {"maxDiskPerNonEphemeralSandbox", nullptr},
          {"maxCpuPerGpuSandbox", nullptr},
          {"maxMemoryPerGpuSandbox", nullptr},
          {"maxDiskPerGpuSandbox", nullptr}};
}

}  // namespace

SEBRING_HANDLER(get_me) {
  SB_CO_TRY(auto user, co_await context.control.store.organizations.find_user(request.caller.user_id));
  if (!user) co_return fail(Errc::not_found, "User with ID " + request.caller.user_id + " not found");
  co_return json_response(200, bj::object{{"id", user->id},
                                          {"name", user->name},
                                          {"email", user->email},
                                          {"emailVerified", true},
                                          {"publicKeys", bj::array()},
                                          {"createdAt", iso8601(user->created_at)}});
}

SEBRING_HANDLER(list_organizations) {
  SB_CO_TRY(auto found, co_await context.control.store.organizations.find(request.caller.organization_id));
  bj::array items;
  if (found) items.push_back(organization_json(context.control.config, *found));
  co_return json_response(200, items);
}

SEBRING_HANDLER(get_organization) {
  SB_CO_TRY(auto organization, co_await own_organization(context, request));
  co_return json_response(200, organization_json(context.control.config, organization));
}

SEBRING_HANDLER(get_organization_of_sandbox) {
  const std::string& id = request.path["id"];
  const auto* live = context.control.live.find(id);
  if (live != nullptr && live->organization_id == request.caller.organization_id) {
    SB_CO_TRY(auto found, co_await context.control.store.organizations.find(request.caller.organization_id));
    if (found) co_return json_response(200, organization_json(context.control.config, *found));
  }
  co_return fail(Errc::not_found, "Organization with sandbox ID " + id + " not found");
}

SEBRING_HANDLER(get_usage) {
  SB_CO_TRY(auto organization, co_await own_organization(context, request));
  SB_CO_TRY(auto snapshots, co_await context.control.store.snapshots.count(organization.id));
  co_return json_response(200, bj::object{{"regionUsage", bj::array{region_usage(context, request)}},
                                          {"totalSnapshotQuota", context.control.config.limits.snapshots},
                                          {"currentSnapshotUsage", snapshots},
                                          {"totalVolumeQuota", 0},
                                          {"currentVolumeUsage", 0}});
}

SEBRING_HANDLER(list_members) {
  SB_CO_TRY(auto organization, co_await own_organization(context, request));
  SB_CO_TRY(auto user, co_await context.control.store.organizations.find_user(organization.created_by));
  bj::array items;
  if (user) {
    items.push_back(bj::object{{"userId", user->id},
                               {"organizationId", organization.id},
                               {"name", user->name},
                               {"email", user->email},
                               {"role", "owner"},
                               {"assignedRoles", bj::array()},
                               {"createdAt", iso8601(organization.created_at)},
                               {"updatedAt", iso8601(organization.updated_at)}});
  }
  co_return json_response(200, items);
}

SEBRING_HANDLER(list_classes) {
  SB_CO_CHECK(co_await own_organization(context, request));
  co_return json_response(200, bj::array{bj::object{{"regionId", context.control.config.region_id},
                                                    {"sandboxClass", "container"},
                                                    {"gpuAvailable", false}}});
}

}  // namespace sebring::api
