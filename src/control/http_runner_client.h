#pragma once
#include <memory>
#include <string>

#include "control/runner_client.h"

namespace sebring::control {

// Over HTTP on the runner's Unix socket; keeps connections.
std::unique_ptr<RunnerClient> make_http_runner_client(std::string socket_path);

}  // namespace sebring::control
