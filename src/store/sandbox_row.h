#pragma once
// One sandbox as a row: the column lists, and both directions.
#include "db/sqlite.h"
#include "model/sandbox.h"

// Never change after the insert.
#define SANDBOX_FIXED                                                                               \
  "id, organization_id, region_id, sandbox_class, snapshot, image, user, env, volumes, parent_id, " \
  "linked_sandbox_id, created_at, created"
// May change; `version` comes last.
#define SANDBOX_MUTABLE                                                                                            \
  "name, runner_id, state, desired, visible, error_reason, recoverable, labels, cpu, gpu, memory, disk, "          \
  "auto_stop, auto_pause, auto_archive, auto_delete, ttl, ttl_after, public, block_all, allow_list, domain_list, " \
  "backup_state, backup_created_at, archive, daemon_version, auth_token, signing_key, updated_at, "                \
  "last_activity_at, auto_destroy_at, since, active, version"
#define SANDBOX_COLUMNS SANDBOX_FIXED ", " SANDBOX_MUTABLE

namespace sebring::store {

inline constexpr int kSandboxFixed = 13;
inline constexpr int kSandboxMutable = 34;

void bind_fixed(db::Query& query, const model::Sandbox& sandbox);
void bind_mutable(db::Query& query, const model::Sandbox& sandbox, std::int64_t version);
// Of SELECT SANDBOX_COLUMNS.
model::Sandbox read_sandbox(const db::Query& row);
// "?,?,?" as many as `count`.
std::string placeholders(std::size_t count);

}  // namespace sebring::store
