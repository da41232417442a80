#pragma once
#include <string>

#include "control/control.h"

namespace sebring::control {

using model::Snapshot;

asio::awaitable<Result<Snapshot>> get_snapshot(Control&, std::string organization_id, std::string id_or_name);
// A general one: Errc::forbidden.
asio::awaitable<Result<void>> delete_snapshot(Control&, std::string organization_id, std::string id);
asio::awaitable<Result<Snapshot>> set_snapshot_active(Control&, std::string organization_id, std::string id,
                                                      bool active);
// Adds or replaces one that every organization sees; for the default images. Keeps the id of an earlier one.
asio::awaitable<Result<Snapshot>> put_general_snapshot(Control&, Snapshot snapshot);

}  // namespace sebring::control
