#pragma once
// Archiving and restoring move gigabytes, so nobody stands in line behind them: the row says `archiving` or
// `restoring`, a background job works, and whoever changed the row meanwhile (a delete) wins.
#include "control/runner_client.h"
#include "control/sandbox_change.h"

namespace sebring::control {

// Of a stopped sandbox. Returns when the intention is durable and the job started.
asio::awaitable<Result<void>> begin_archiving(Control& control, Held& held);
// Of an archived one; it is started after that.
asio::awaitable<Result<void>> begin_restoring(Control& control, Held& held);
// After a restart of control nobody works on it any more: goes back to what it was. While a job runs:
// Errc::unavailable.
asio::awaitable<Result<void>> repair_archiving(Control& control, Held& held);

// Waits until the sandbox is at rest, at most 30 s, and gives it as it is then.
asio::awaitable<Result<Sandbox>> wait_for_rest(Control& control, std::string organization_id, std::string id);

}  // namespace sebring::control
