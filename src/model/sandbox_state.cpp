#include "model/sandbox_state.h"

#include <array>

namespace sebring::model {
namespace {

constexpr std::array<std::string_view, kSandboxStates> kStateNames = {
    "creating", "restoring",        "destroyed", "destroying",   "started",       "stopped",
    "starting", "stopping",         "error",     "build_failed", "pending_build", "building_snapshot",
    "unknown",  "pulling_snapshot", "archived",  "archiving",    "resizing",      "snapshotting",
    "forking",  "pausing",          "paused",    "resuming"};

constexpr std::array<std::string_view, 6> kDesiredNames = {"destroyed", "started",  "stopped",
                                                           "resized",   "archived", "paused"};

constexpr std::string_view kErrored = "Sandbox is in an errored state";
constexpr std::string_view kNotValid = "Sandbox is not in valid state";

std::unexpected<Error> refuse(std::string_view message) { return fail(Errc::invalid_argument, std::string(message)); }

bool is_failed(SandboxState state) { return state == SandboxState::error || state == SandboxState::build_failed; }

}  // namespace

std::string_view to_text(SandboxState state) { return kStateNames[static_cast<std::size_t>(state)]; }
std::string_view to_text(DesiredState state) { return kDesiredNames[static_cast<std::size_t>(state)]; }

std::optional<SandboxState> parse_sandbox_state(std::string_view text) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == text) return static_cast<SandboxState>(i);
  }
  return std::nullopt;
}

std::optional<DesiredState> parse_desired_state(std::string_view text) {
  for (std::size_t i = 0; i < kDesiredNames.size(); ++i) {
    if (kDesiredNames[i] == text) return static_cast<DesiredState>(i);
  }
  return std::nullopt;
}

SandboxState visible_state(SandboxState state, DesiredState desired) {
  using enum SandboxState;
  const bool at_rest = state == started || state == stopped;
  if (at_rest && desired == DesiredState::destroyed) return destroying;
  if (state == started && desired == DesiredState::stopped) return stopping;
  if (state == stopped && desired == DesiredState::started) return starting;
  if (state == stopped && desired == DesiredState::archived) return archiving;
  if (state == unknown && desired == DesiredState::started) return creating;
  if (state == archived && desired == DesiredState::started) return restoring;
  return state;
}

bool is_transitional(SandboxState state) {
  using enum SandboxState;
  switch (state) {
    case started:
    case stopped:
    case archived:
    case paused:
    case error:
    case build_failed:
    case destroyed:
      return false;
    default:
      return true;
  }
}

bool holds_processes(SandboxState state) {
  using enum SandboxState;
  switch (state) {
    case stopped:
    case archived:
    case archiving:
    case build_failed:
    case pending_build:
    case building_snapshot:
    case pulling_snapshot:
    case destroyed:
    case error:
      return false;
    default:
      return true;
  }
}

Result<Verdict> may(Action action, SandboxState state) {
  using enum SandboxState;
  if (action == Action::destroy) {
    return state == destroyed || state == destroying ? Verdict::nothing_to_do : Verdict::go;
  }
  if (state == destroyed || state == destroying) return refuse(kNotValid);
  if (is_transitional(state)) return Verdict::wait;
  if (action == Action::recover) {
    if (state == error) return Verdict::go;
    return refuse("Sandbox must be in error state to recover");
  }
  if (is_failed(state)) {
    // Stopping what failed is how people clean up after it; everything else would build on unknown ground.
    if (action == Action::stop && state == error) return Verdict::go;
    return refuse(kErrored);
  }
  switch (action) {
    case Action::start:
      return state == started ? Verdict::nothing_to_do : Verdict::go;
    case Action::stop:
      if (state == started || state == paused) return Verdict::go;
      return refuse("Sandbox is not in a stoppable state");
    case Action::archive:
      if (state == stopped) return Verdict::go;
      return refuse("Sandbox is not stopped");
    case Action::pause:
      if (state == paused) return Verdict::nothing_to_do;
      if (state == started) return Verdict::go;
      return refuse(kNotValid);
    case Action::resize:
      if (state == started || state == stopped) return Verdict::go;
      return refuse(kNotValid);
    case Action::fork:
    case Action::snapshot:
    case Action::backup:
      if (state == started || state == stopped || state == paused) return Verdict::go;
      return refuse(kNotValid);
    case Action::destroy:
    case Action::recover:
      break;
  }
  return Verdict::go;
}

}  // namespace sebring::model
