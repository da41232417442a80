#include "control/live_index.h"

#include <algorithm>
#include <utility>

namespace sebring::control {
namespace {

std::optional<bool> wake_label(const model::TextMap& labels) {
  for (const auto& [name, value] : labels) {
    if (name == kWakeLabel && value == "true") return true;
    if (name == kWakeLabel && value == "false") return false;
  }
  return std::nullopt;
}

}  // namespace

void LiveIndex::account(const std::string& organization_id, const model::Resources& used, int sign) {
  auto [it, fresh] = totals_.try_emplace(organization_id, model::Resources{0, 0, 0, 0});
  it->second.cpu += sign * used.cpu;
  it->second.gpu += sign * used.gpu;
  it->second.memory_gib += sign * used.memory_gib;
  it->second.disk_gib += sign * used.disk_gib;
}

void LiveIndex::put(const model::Sandbox& sandbox) {
  if (sandbox.state == model::SandboxState::destroyed) {
    erase(sandbox.id);
    return;
  }
  auto [it, fresh] = sandboxes_.try_emplace(sandbox.id);
  LiveSandbox& live = it->second;
  if (!fresh) account(live.organization_id, live.used, -1);
  live.organization_id = sandbox.organization_id;
  if (fresh && sandbox.linked_sandbox_id) {
    live.linked_to = *sandbox.linked_sandbox_id;
    ++linked_[live.linked_to];
  }
  live.used = model::consumption(sandbox);
  account(live.organization_id, live.used, +1);
  const auto before = std::exchange(live.state, sandbox.visible());
  const bool was_public = std::exchange(live.is_public, sandbox.is_public);
  live.wakes = wake_label(sandbox.labels);
  live.intervals = sandbox.intervals;
  live.run_token = sandbox.auth_token;
  live.created = sandbox.created;
  live.since = sandbox.since;
  live.active = std::max(live.active, sandbox.active);
  live.active_at = std::max(live.active_at, sandbox.last_activity_at);
  live.warned = false;
  if (!model::holds_processes(live.state)) {
    live.socket.clear();
    live.address.clear();
  }
  const bool ends = before != live.state && live.state != model::SandboxState::started;
  if (on_end && !fresh && (ends || (was_public && !live.is_public))) on_end(sandbox.id);
}

void LiveIndex::erase(const std::string& id) {
  auto found = sandboxes_.find(id);
  if (found == sandboxes_.end()) return;
  account(found->second.organization_id, found->second.used, -1);
  if (auto head = linked_.find(found->second.linked_to); head != linked_.end() && --head->second == 0) {
    linked_.erase(head);
  }
  const auto taken_out = sandboxes_.extract(found);
  if (on_end) on_end(taken_out.key());
}

std::size_t LiveIndex::linked_to(const std::string& id) const {
  auto found = linked_.find(id);
  return found == linked_.end() ? 0 : found->second;
}

LiveSandbox* LiveIndex::find(const std::string& id) {
  auto found = sandboxes_.find(id);
  return found == sandboxes_.end() ? nullptr : &found->second;
}

model::Resources LiveIndex::used(const std::string& organization_id) const {
  auto found = totals_.find(organization_id);
  return found == totals_.end() ? model::Resources{0, 0, 0, 0} : found->second;
}

}  // namespace sebring::control
