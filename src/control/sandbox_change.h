#pragma once
// The one way to change a sandbox: stand in its line, read the row again, change it, write it, tell of it.
#include <optional>
#include <string>

#include "control/control.h"

namespace sebring::control {

using model::Sandbox;

// A sandbox that nobody else changes while this lives.
struct Held {
  Lines::Place place;
  Sandbox sandbox;
};

// By id or name within the organization. Errc::not_found as the wire says it, also when it was deleted while we stood
// in line. Who holds it together with others does not change it.
asio::awaitable<Result<Held>> hold(Control& control, std::string organization_id, std::string id_or_name,
                                   Lines::Turn turn = Lines::Turn::in_line);
// By id whoever owns it; destroyed ones too (nullopt only when there is no row).
asio::awaitable<Result<std::optional<Held>>> hold_by_id(Control& control, std::string id);

Error sandbox_not_found(std::string_view id_or_name);

// Sets the state and when it began.
void set_state(Control& control, Sandbox& sandbox, model::SandboxState state);
// Counts as use of the sandbox: a started one is not idle.
void set_active(Control& control, Sandbox& sandbox);
void set_error(Control& control, Sandbox& sandbox, std::string reason, bool recoverable);

// Writes the row and returns when it is durable; then the index and the listeners know. `before`: what was told last.
// `intention`: an earlier write of the same change, which is waited for too and whose failure is then the cause of this
// one's. After a failure the reconciler looks at the sandbox, since the runner may be ahead of the row. With
// Urgency::unsynced, for the outcome of a creation, the row may be in `creating` again after a failure of power: the
// reconciler brings it to its end.
asio::awaitable<Result<void>> save(Control& control, Sandbox& sandbox, model::SandboxState before,
                                   model::DesiredState desired_before, const db::Pending* intention = nullptr,
                                   db::Urgency urgency = db::Urgency::now);
// Writes an intention: it may reach the disk together with its outcome, and is told at once. Who does not go on to
// save() waits for it before it leaves the line.
db::Pending save_intention(Control& control, Sandbox& sandbox, model::SandboxState before,
                           model::DesiredState desired_before);

}  // namespace sebring::control
