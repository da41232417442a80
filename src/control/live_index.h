#pragma once
// What must be known of every sandbox without asking the database: what it takes of its organization's quota, when it
// was last used, where its toolbox listens. Rebuilt at start from rows and the runner's report.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/sandbox.h"

namespace sebring::control {

// A sandbox's label that says whether use wakes it: "true" or "false"; without it, see LiveSandbox::wakes.
inline constexpr const char* kWakeLabel = "sebring.wake";

struct LiveSandbox {
  std::string organization_id;
  model::SandboxState state = model::SandboxState::unknown;
  bool is_public = false;
  std::optional<bool> wakes;  // by kWakeLabel; else: paused for idleness yes, stopped as the server is set
  model::Resources used;
  model::Intervals intervals;
  model::ServiceMs created = 0;
  model::ServiceMs since = 0;
  model::ServiceMs active = 0;
  WallMs active_at = 0;
  bool activity_unsaved = false;
  bool warned = false;                    // of the coming stop, and usage noted
  bool acting = false;                    // the reaper is at it
  model::ServiceMs rests_until = 0;       // after it was: not before then again
  std::optional<std::int64_t> cpu_noted;  // nanoseconds; idle_probe.h
  model::ServiceMs cpu_noted_at = 0;
  std::string socket;     // of its toolbox; empty while it does not run
  std::string address;    // as linked sandboxes reach it; empty while it does not run
  std::string linked_to;  // id; empty: none
  std::string run_token;  // of previews; new at each start
  // Shared with those who hold activity: how many requests, terminals, sessions are open now.
  std::shared_ptr<int> holds = std::make_shared<int>(0);
};

class LiveIndex {
 public:
  // Called when a sandbox has ceased to run, or is on its way there, and when one that was public is so no more. May be
  // null.
  std::function<void(const std::string& id)> on_end;
  // Adds or refreshes; takes out a destroyed one. Socket and unsaved activity stay.
  void put(const model::Sandbox& sandbox);
  void erase(const std::string& id);
  LiveSandbox* find(const std::string& id);
  // What an organization's sandboxes take together.
  model::Resources used(const std::string& organization_id) const;
  // How many are linked to it.
  std::size_t linked_to(const std::string& id) const;
  std::size_t size() const { return sandboxes_.size(); }
  const std::unordered_map<std::string, LiveSandbox>& all() const { return sandboxes_; }
  std::unordered_map<std::string, LiveSandbox>& all() { return sandboxes_; }

 private:
  void account(const std::string& organization_id, const model::Resources& used, int sign);
  std::unordered_map<std::string, LiveSandbox> sandboxes_;
  std::unordered_map<std::string, model::Resources> totals_;
  std::unordered_map<std::string, std::size_t> linked_;  // id -> how many name it
};

}  // namespace sebring::control
