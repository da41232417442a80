#pragma once
// Sandboxes as clients see them.
#include <boost/json/fwd.hpp>
#include <string>

#include "control/config.h"
#include "model/sandbox.h"
#include "net/request_head.h"

namespace sebring::api {

boost::json::object sandbox_json(const control::ControlConfig& config, const model::Sandbox& sandbox);
// An item of the cursor list: the same without what only a single read gives.
boost::json::object sandbox_item_json(const control::ControlConfig& config, const model::Sandbox& sandbox);

// SDKs fail on states that came after them, with a whole list for one of its items. `sandbox`, as given by the two
// above, tells those that name their version in `head` the nearest state that they know.
void use_known_states(boost::json::object& sandbox, const net::RequestHead& head);

std::string toolbox_url(const control::ControlConfig& config);
// What a user types to log in to a sandbox: "ssh -p 2222 TOKEN@HOST".
std::string ssh_command(const control::ControlConfig& config, const std::string& token);

}  // namespace sebring::api
