#pragma once
// What the two sandbox lists can be asked for.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/sandbox.h"

namespace sebring::store {

struct SandboxFilter {
  std::string organization_id;
  std::string id_prefix;    // without case; empty: all
  std::string name_prefix;  // without case
  model::TextMap labels;    // all of them
  bool with_errored_deleted = false;
  std::vector<model::SandboxState> states;
  std::vector<std::string> snapshots;
  std::vector<std::string> region_ids;
  std::vector<std::string> classes;
  std::optional<std::int64_t> cpu_min, cpu_max, gpu_min, gpu_max, memory_min, memory_max, disk_min, disk_max;
  std::optional<bool> is_public;
  std::optional<bool> is_recoverable;
  std::optional<WallMs> created_after, created_before;
  std::optional<WallMs> active_after, active_before;
  std::optional<WallMs> destroy_after, destroy_before;
};

enum class SandboxSort {
  id,
  name,
  state,
  snapshot,
  region,
  updated_at,
  created_at,
  last_activity_at,
  cpu,
  memory,
  disk,
};

// Continues behind the row that had this value of the sorted column.
struct Cursor {
  std::string value;  // text of the column: a name, a number, milliseconds
  std::string id;
};

struct CursorQuery {
  SandboxSort sort = SandboxSort::last_activity_at;  // name, cpu, memory, disk, last_activity_at or created_at
  bool ascending = false;
  std::int64_t limit = 100;
  std::optional<Cursor> after;
};

struct CursorPage {
  std::vector<model::Sandbox> items;
  std::optional<Cursor> next;  // of the last item, when there is more
};

struct NumberedQuery {
  SandboxSort sort = SandboxSort::created_at;
  bool ascending = false;
  std::int64_t page = 1;  // from 1
  std::int64_t limit = 100;
};

struct NumberedPage {
  std::vector<model::Sandbox> items;
  std::int64_t total = 0;
};

}  // namespace sebring::store
