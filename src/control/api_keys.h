#pragma once
#include <optional>
#include <string>
#include <vector>

#include "control/authenticate.h"
#include "control/control.h"

namespace sebring::control {

struct CreatedKey {
  model::ApiKey key;
  std::string value;  // shown this once
};

struct CreateKey {
  std::string organization_id;
  std::string user_id;
  std::string name;
  model::Permissions permissions;
  std::optional<WallMs> expires_at;
};

// Errc::conflict "API key with this name already exists".
asio::awaitable<Result<CreatedKey>> create_key(Control&, CreateKey asked);
// Errc::not_found when there is none. Takes effect on the next request.
asio::awaitable<Result<void>> delete_key(Control&, Authenticator&, std::string organization_id, std::string user_id,
                                         std::string name);
asio::awaitable<Result<model::ApiKey>> get_key(Control&, std::string organization_id, std::string user_id,
                                               std::string name);

// What every installation starts with: one user, one organization.
asio::awaitable<Result<model::Organization>> ensure_organization(Control&);
// Makes the first key, named "first", when there is none at all; its plain value is given this once.
asio::awaitable<Result<std::optional<CreatedKey>>> ensure_first_key(Control&, const model::Organization& organization);

}  // namespace sebring::control
