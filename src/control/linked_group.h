#pragma once
// Sandboxes linked to one another: the one that others name (the head) and those. The runner lets them reach each
// other; here they learn each other's names, which stand in the /etc/hosts of each.
#include <optional>
#include <string>

#include "control/control.h"

namespace sebring::control {

// How many may be linked to one: each pair of a group is an entry of the firewall's.
inline constexpr std::size_t kLinkedMax = 63;

// What the runner says of a sandbox that runs now; its group learns of it when it has one, before this returns, but
// for members that do not answer within two seconds.
asio::awaitable<void> note_running(Control& control, std::string sandbox_id, RunnerReport report);
// It does not run any more. Nobody waits for the others to hear of it.
void note_gone(Control& control, const model::Sandbox& sandbox);
// All groups, after control was away.
void refresh_groups(Control& control);

}  // namespace sebring::control
