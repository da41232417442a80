#pragma once
// Shared last steps of the use cases: asking the runner while holding a sandbox, and writing what came of it.
#include "control/runner_client.h"
#include "control/sandbox_change.h"

namespace sebring::control {

// Makes it run: from stopped, paused or a failed state. The row is written with the outcome. An error of the runner
// that time may mend leaves the intention for the reconciler; any other makes the sandbox `error` with the reason.
// `keep_token`: the access token of its last run goes on to hold.
asio::awaitable<Result<void>> run_sandbox(Control& control, Held& held, bool keep_token = false);
// Stops it. An ephemeral one is destroyed after that.
asio::awaitable<Result<void>> halt_sandbox(Control& control, Held& held, bool force);
// Writes the intention durably before anything is lost, then removes everything. When the runner does not answer the
// reconciler goes on; the row says `destroying` until then.
asio::awaitable<Result<void>> destroy_sandbox(Control& control, Held& held);

// Whether the action may be done now; a transition that nobody works on is finished first.
asio::awaitable<Result<model::Verdict>> may_now(Control& control, Held& held, model::Action action);

// Whether asking again later may help.
bool may_pass(const Error& error);
// "out of memory: ..." for people, from what the runner reported.
std::string reason_of(const RunnerCause& cause);

}  // namespace sebring::control
