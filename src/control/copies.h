#pragma once
// Snapshots and archives that the runner has and no row names: left by a crash between making one and writing it down,
// or between deleting a row and its file.
#include "control/control.h"

namespace sebring::control {

// Removes them. What is being made or changed at the moment is left for another time.
asio::awaitable<Result<void>> remove_unowned_copies(Control& control);

}  // namespace sebring::control
