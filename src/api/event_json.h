#pragma once
#include <string>

#include "control/config.h"
#include "control/event_bus.h"

namespace sebring::api {

// The event as clients hear it: ["sandbox.state.updated",{...}].
std::string event_json(const control::ControlConfig& config, const control::Event& event);

}  // namespace sebring::api
