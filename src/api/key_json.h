#pragma once
#include <boost/json/fwd.hpp>

#include "control/api_keys.h"

namespace sebring::api {

// As lists show it, its value masked.
boost::json::object key_json(const model::ApiKey& key);
// The one time that the value is shown.
boost::json::object created_key_json(const control::CreatedKey& created);
// Reads {"name", "permissions"?, "expiresAt"?} into `asked`. Without permissions it gets `otherwise`;
// Errc::invalid_argument names what is wrong.
Result<void> read_create_key(const boost::json::object& object, control::CreateKey& asked,
                             std::optional<model::Permissions> otherwise);

}  // namespace sebring::api
