#include "model/snapshot.h"

#include <array>

namespace sebring::model {
namespace {
constexpr std::array<std::string_view, 9> kNames = {"building", "pending",      "pulling",  "active",      "inactive",
                                                    "error",    "build_failed", "removing", "snapshotting"};
}

std::string_view to_text(SnapshotState state) { return kNames[static_cast<std::size_t>(state)]; }

std::optional<SnapshotState> parse_snapshot_state(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<SnapshotState>(i);
  }
  return std::nullopt;
}

}  // namespace sebring::model
