#pragma once
// The states of a sandbox, what people see of them, and what may be done in which.
#include <optional>
#include <string_view>

#include "base/result.h"

namespace sebring::model {

enum class SandboxState {
  creating,
  restoring,
  destroyed,
  destroying,
  started,
  stopped,
  starting,
  stopping,
  error,
  build_failed,
  pending_build,
  building_snapshot,
  unknown,
  pulling_snapshot,
  archived,
  archiving,
  resizing,
  snapshotting,
  forking,
  pausing,
  paused,
  resuming,
};
inline constexpr int kSandboxStates = 22;

enum class DesiredState { destroyed, started, stopped, resized, archived, paused };

std::string_view to_text(SandboxState state);
std::string_view to_text(DesiredState state);
std::optional<SandboxState> parse_sandbox_state(std::string_view text);
std::optional<DesiredState> parse_desired_state(std::string_view text);

// What a client is told: where state and desired state differ, the way between them.
SandboxState visible_state(SandboxState state, DesiredState desired);

// Whether the state is on the way to another one, so that somebody works on it.
bool is_transitional(SandboxState state);
// Whether the sandbox's processes may be there.
bool holds_processes(SandboxState state);

enum class Action { start, stop, destroy, archive, pause, resize, fork, snapshot, backup, recover };
inline constexpr int kActions = 10;

enum class Verdict {
  go,
  nothing_to_do,  // it is so already: answered with success
  wait,           // somebody works on it: stand in line, then ask again
};

// Errc::invalid_argument with the wire's message when the action is refused in this state. Deleting is never refused.
Result<Verdict> may(Action action, SandboxState state);

}  // namespace sebring::model
