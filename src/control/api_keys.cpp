#include "control/api_keys.h"

#include "base/random.h"
#include "model/names.h"

namespace sebring::control {
namespace {

constexpr const char* kFirstUser = "admin";

Error key_not_found() { return Error(Errc::not_found, "API key not found"); }

}  // namespace

asio::awaitable<Result<CreatedKey>> create_key(Control& control, CreateKey asked) {
  if (asked.name.empty()) co_return fail(Errc::invalid_argument, "name should not be empty");
  SB_CO_CHECK(model::check_name(asked.name));
  const WallMs now = control.clock.wall_ms();
  if (asked.expires_at && *asked.expires_at <= now) {
    co_return fail(Errc::invalid_argument, "expiresAt must be in the future");
  }
  CreatedKey created;
  created.value = "dtn_" + random_hex(32);
  model::ApiKey& key = created.key;
  key.organization_id = std::move(asked.organization_id);
  key.user_id = std::move(asked.user_id);
  key.name = std::move(asked.name);
  key.hash = sha256_hex(created.value);
  key.prefix = created.value.substr(0, 3);
  key.suffix = created.value.substr(created.value.size() - 3);
  key.permissions = asked.permissions;
  key.created_at = now;
  key.expires_at = asked.expires_at;
  auto written = co_await control.store.api_keys.insert(key);
  if (!written && written.error().code() == Errc::conflict) {
    co_return fail(Errc::conflict, "API key with this name already exists");
  }
  if (!written) co_return fail(written.error());
  co_return created;
}

asio::awaitable<Result<void>> delete_key(Control& control, Authenticator& authenticator, std::string organization_id,
                                         std::string user_id, std::string name) {
  SB_CO_TRY(bool removed, co_await control.store.api_keys.remove(organization_id, user_id, name));
  authenticator.forget();
  if (!removed) co_return fail(key_not_found());
  co_return Result<void>{};
}

asio::awaitable<Result<model::ApiKey>> get_key(Control& control, std::string organization_id, std::string user_id,
                                               std::string name) {
  SB_CO_TRY(auto found, co_await control.store.api_keys.find(organization_id, user_id, name));
  if (!found) co_return fail(key_not_found());
  co_return std::move(*found);
}

asio::awaitable<Result<model::Organization>> ensure_organization(Control& control) {
  SB_CO_TRY(auto all, co_await control.store.organizations.list());
  if (!all.empty()) co_return std::move(all.front());
  const WallMs now = control.clock.wall_ms();
  model::User user{kFirstUser, "Administrator", "admin@localhost.localdomain", now};
  model::Organization organization{.id = random_uuid(),
                                   .name = "Personal",
                                   .created_by = user.id,
                                   .personal = true,
                                   .default_region_id = control.config.region_id,
                                   .created_at = now,
                                   .updated_at = now};
  SB_CO_CHECK(co_await control.store.organizations.insert(user, organization));
  co_return organization;
}

asio::awaitable<Result<std::optional<CreatedKey>>> ensure_first_key(Control& control,
                                                                    const model::Organization& organization) {
  SB_CO_TRY(auto keys, co_await control.store.api_keys.list(organization.id));
  if (!keys.empty()) co_return std::nullopt;
  SB_CO_TRY(auto created, co_await create_key(control, {.organization_id = organization.id,
                                                        .user_id = organization.created_by,
                                                        .name = "first",
                                                        .permissions = model::Permissions::all(),
                                                        .expires_at = std::nullopt}));
  co_return std::optional(std::move(created));
}

}  // namespace sebring::control
