#pragma once
// What a user has. The container that runs for it is the runner's business.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/sandbox_state.h"

namespace sebring::model {

using TextMap = std::vector<std::pair<std::string, std::string>>;

// Milliseconds on a clock that advances evenly whatever happens to the wall clock (control/service_clock.h). All ages
// and deadlines that live longer than the process are counted on it; WallMs is only shown.
using ServiceMs = std::int64_t;

inline constexpr std::int64_t kGiB = std::int64_t{1} << 30;
inline constexpr std::int64_t kMinuteMs = 60'000;

struct Resources {
  int cpu = 1;
  int gpu = 0;
  int memory_gib = 1;
  int disk_gib = 3;
  bool operator==(const Resources&) const = default;
};

struct VolumeMount {
  std::string volume_id;
  std::string mount_path;
  std::string subpath;  // empty: the whole volume
};

// Where a sandbox's root comes from, frozen when it is created: the snapshot may be deleted later.
struct Image {
  std::vector<std::string> layers;  // sha256 digests, bottom first
  std::string base;                 // name of a sandbox's disk kept by the runner; empty: layers only
  TextMap environment;              // ENV of the image
  std::vector<std::string> entrypoint;
  std::string work_dir;
};

// Minutes. 0 means never, except where said.
struct Intervals {
  std::int64_t stop = 15;
  std::int64_t pause = 0;
  std::int64_t archive = 10'080;
  std::int64_t destroy = -1;  // -1: never; 0: as soon as it is stopped
  std::int64_t ttl = 0;
  std::int64_t ttl_after_ms = 0;  // of its life, from which `ttl` counts
};

enum class BackupState { none, pending, in_progress, completed, error };
std::string_view to_text(BackupState state);
std::optional<BackupState> parse_backup_state(std::string_view text);

// A copy of the disk in the object store.
struct Archive {
  std::string path;
  std::string sha256;
  std::int64_t bytes = 0;
};

struct Sandbox {
  std::string id;  // UUID
  std::string organization_id;
  std::string name;
  std::string region_id;
  std::string runner_id;  // empty: on no runner
  std::string sandbox_class = "container";

  SandboxState state = SandboxState::creating;
  DesiredState desired = DesiredState::started;
  std::optional<std::string> error_reason;
  bool recoverable = false;

  std::optional<std::string> snapshot;  // name, as asked for
  Image image;
  std::string user = "daytona";
  TextMap env;
  TextMap labels;
  Resources resources;
  std::vector<VolumeMount> volumes;
  Intervals intervals;

  bool is_public = false;
  bool network_block_all = false;
  std::optional<std::string> network_allow_list;
  std::optional<std::string> domain_allow_list;

  BackupState backup_state = BackupState::none;
  std::optional<WallMs> backup_created_at;
  std::optional<Archive> archive;

  std::optional<std::string> parent_id;          // of a fork
  std::optional<std::string> linked_sandbox_id;  // lives and dies with that one
  std::optional<std::string> daemon_version;
  std::string auth_token;   // of previews; new at each start
  std::string signing_key;  // of signed file links

  WallMs created_at = 0;
  WallMs updated_at = 0;
  WallMs last_activity_at = 0;
  std::optional<WallMs> auto_destroy_at;  // shown; due is counted from created
  ServiceMs created = 0;
  ServiceMs since = 0;   // of the present state
  ServiceMs active = 0;  // last activity
  // Counts the writes of this row; an update that expects another value changes nothing.
  std::int64_t version = 0;

  SandboxState visible() const { return visible_state(state, desired); }
  bool is_ephemeral() const { return intervals.destroy == 0; }
};

// What a sandbox takes from its organization's quota while it is in this state: processor and memory only while
// processes may run, disk until it is archived or gone.
Resources consumption(const Sandbox& sandbox);

// "DESTROYED_<name>_<ms>": frees the name at once.
std::string destroyed_name(const std::string& name, WallMs now);

}  // namespace sebring::model
