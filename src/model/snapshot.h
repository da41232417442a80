#pragma once
#include <optional>
#include <string>

#include "model/sandbox.h"

namespace sebring::model {

enum class SnapshotState { building, pending, pulling, active, inactive, error, build_failed, removing, snapshotting };
std::string_view to_text(SnapshotState state);
std::optional<SnapshotState> parse_snapshot_state(std::string_view text);

// A named root that sandboxes start from.
struct Snapshot {
  std::string id;               // UUID
  std::string organization_id;  // empty: general, for all
  std::string name;
  std::string image_name;
  SnapshotState state = SnapshotState::active;
  bool hidden = false;  // another name for one that is listed
  std::optional<std::int64_t> size_bytes;
  std::string user = "daytona";
  Image image;
  Resources resources;
  std::string sandbox_class = "container";
  std::string region_id;
  std::optional<std::string> source_sandbox_id;
  std::optional<std::string> error_reason;
  WallMs created_at = 0;
  WallMs updated_at = 0;
  std::optional<WallMs> last_used_at;

  bool is_general() const { return organization_id.empty(); }
};

}  // namespace sebring::model
