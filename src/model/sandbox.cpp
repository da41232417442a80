#include "model/sandbox.h"

#include <array>

namespace sebring::model {
namespace {
constexpr std::array<std::string_view, 5> kBackupNames = {"None", "Pending", "InProgress", "Completed", "Error"};
}

std::string_view to_text(BackupState state) { return kBackupNames[static_cast<std::size_t>(state)]; }

std::optional<BackupState> parse_backup_state(std::string_view text) {
  for (std::size_t i = 0; i < kBackupNames.size(); ++i) {
    if (kBackupNames[i] == text) return static_cast<BackupState>(i);
  }
  return std::nullopt;
}

Resources consumption(const Sandbox& sandbox) {
  Resources used{.cpu = 0, .gpu = 0, .memory_gib = 0, .disk_gib = 0};
  if (sandbox.state == SandboxState::destroyed) return used;
  if (sandbox.state != SandboxState::archived && sandbox.state != SandboxState::build_failed) {
    used.disk_gib = sandbox.resources.disk_gib;
  }
  if (holds_processes(sandbox.state) || sandbox.state == SandboxState::pending_build ||
      sandbox.state == SandboxState::building_snapshot || sandbox.state == SandboxState::pulling_snapshot) {
    used.cpu = sandbox.resources.cpu;
    used.gpu = sandbox.resources.gpu;
    used.memory_gib = sandbox.resources.memory_gib;
  }
  return used;
}

std::string destroyed_name(const std::string& name, WallMs now) {
  return "DESTROYED_" + name + "_" + std::to_string(now);
}

}  // namespace sebring::model
