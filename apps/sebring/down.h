#pragma once
#include <string>

#include "base/result.h"

namespace sebring {

// Stops the server with this data directory and waits until it is gone. Errc::not_found when none runs.
Result<void> stop_server(const std::string& data_dir);

}  // namespace sebring
