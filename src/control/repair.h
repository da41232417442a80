#pragma once
// Brings one sandbox from wherever a crash, a cut call or an exit left it to where it should be.
#include <optional>

#include "control/runner_client.h"
#include "control/sandbox_change.h"

namespace sebring::control {

// `report`: what the runner holds of it; nullopt: nothing. On success the sandbox is at rest (or an archive is being
// worked on); Errc::unavailable when asking again later may help.
asio::awaitable<Result<void>> repair(Control& control, Held& held, std::optional<RunnerReport> report);
// The same, asking the runner first.
asio::awaitable<Result<void>> repair(Control& control, Held& held);

// For a use case that found its sandbox on the way to another state although nobody works on it: finishes that way.
// Errc::conflict ("Sandbox state change in progress") when it cannot be finished now.
asio::awaitable<Result<void>> finish_transition(Control& control, Held& held);

// The sandbox's processes are gone and nobody asked for it.
asio::awaitable<Result<void>> settle_exit(Control& control, Held& held, const std::optional<RunnerCause>& cause);

}  // namespace sebring::control
