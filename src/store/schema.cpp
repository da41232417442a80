#include "store/schema.h"

namespace sebring::store {
namespace {

// Times ending in _at are wall clock, shown to people; `created`, `since`, `active` are on the service clock and
// decide.
constexpr const char* kFirst = R"sql(
CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organizations (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_by TEXT NOT NULL REFERENCES users(id),
  personal INTEGER NOT NULL,
  default_region_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  organization_id TEXT NOT NULL REFERENCES organizations(id),
  user_id TEXT NOT NULL REFERENCES users(id),
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  suffix TEXT NOT NULL,
  permissions TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER,
  expires_at INTEGER,
  PRIMARY KEY (organization_id, user_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  name TEXT NOT NULL,
  image_name TEXT NOT NULL,
  state TEXT NOT NULL,
  hidden INTEGER NOT NULL,
  size_bytes INTEGER,
  user TEXT NOT NULL,
  image TEXT NOT NULL,
  cpu INTEGER NOT NULL,
  gpu INTEGER NOT NULL,
  memory INTEGER NOT NULL,
  disk INTEGER NOT NULL,
  sandbox_class TEXT NOT NULL,
  region_id TEXT NOT NULL,
  source_sandbox_id TEXT,
  error_reason TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX snapshots_name ON snapshots (organization_id, name);

CREATE TABLE sandboxes (
  id TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL REFERENCES organizations(id),
  region_id TEXT NOT NULL,
  sandbox_class TEXT NOT NULL,
  snapshot TEXT,
  image TEXT NOT NULL,
  user TEXT NOT NULL,
  env TEXT NOT NULL,
  volumes TEXT NOT NULL,
  parent_id TEXT,
  linked_sandbox_id TEXT,
  created_at INTEGER NOT NULL,
  created INTEGER NOT NULL,
  name TEXT NOT NULL,
  runner_id TEXT NOT NULL,
  state TEXT NOT NULL,
  desired TEXT NOT NULL,
  visible TEXT NOT NULL,
  error_reason TEXT,
  recoverable INTEGER NOT NULL,
  labels TEXT NOT NULL,
  cpu INTEGER NOT NULL,
  gpu INTEGER NOT NULL,
  memory INTEGER NOT NULL,
  disk INTEGER NOT NULL,
  auto_stop INTEGER NOT NULL,
  auto_pause INTEGER NOT NULL,
  auto_archive INTEGER NOT NULL,
  auto_delete INTEGER NOT NULL,
  ttl INTEGER NOT NULL,
  public INTEGER NOT NULL,
  block_all INTEGER NOT NULL,
  allow_list TEXT,
  domain_list TEXT,
  backup_state TEXT NOT NULL,
  backup_created_at INTEGER,
  archive TEXT,
  daemon_version TEXT,
  auth_token TEXT NOT NULL,
  signing_key TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  last_activity_at INTEGER NOT NULL,
  auto_destroy_at INTEGER,
  since INTEGER NOT NULL,
  active INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sandboxes_name ON sandboxes (organization_id, name) WHERE visible <> 'destroyed';
CREATE INDEX sandboxes_activity ON sandboxes (organization_id, last_activity_at, id) WHERE visible <> 'destroyed';
CREATE INDEX sandboxes_created ON sandboxes (organization_id, created_at, id) WHERE visible <> 'destroyed';
CREATE INDEX sandboxes_destroyed ON sandboxes (since) WHERE visible = 'destroyed';
CREATE INDEX sandboxes_parent ON sandboxes (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX sandboxes_linked ON sandboxes (linked_sandbox_id) WHERE linked_sandbox_id IS NOT NULL;

CREATE TABLE sandbox_labels (
  organization_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  sandbox_id TEXT NOT NULL REFERENCES sandboxes(id) ON DELETE CASCADE,
  PRIMARY KEY (organization_id, key, value, sandbox_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sandbox_labels_sandbox ON sandbox_labels (sandbox_id);

CREATE TABLE request_marks (
  organization_id TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  sandbox_id TEXT NOT NULL REFERENCES sandboxes(id) ON DELETE CASCADE,
  PRIMARY KEY (organization_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_marks_sandbox ON request_marks (sandbox_id);

CREATE TABLE access_tokens (
  hash TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  sandbox_id TEXT NOT NULL REFERENCES sandboxes(id) ON DELETE CASCADE,
  port INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_sandbox ON access_tokens (sandbox_id);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);
)sql";

// A browser's login is worth its key, and goes with it.
constexpr const char* kLogins = R"sql(
CREATE TABLE login_sessions (
  hash TEXT PRIMARY KEY,
  key_hash TEXT NOT NULL REFERENCES api_keys(hash) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_sessions_key ON login_sessions (key_hash, created_at);
CREATE INDEX login_sessions_expiry ON login_sessions (expires_at);
)sql";

// Who makes an SSH token ends the earlier ones of the sandbox: without the kind all its preview links were looked at.
// The first databases of all, before these two tables were added to the first step, have the same version.
constexpr const char* kTokensByKind = R"sql(
CREATE TABLE IF NOT EXISTS request_marks (
  organization_id TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  sandbox_id TEXT NOT NULL REFERENCES sandboxes(id) ON DELETE CASCADE,
  PRIMARY KEY (organization_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS request_marks_sandbox ON request_marks (sandbox_id);
CREATE TABLE IF NOT EXISTS access_tokens (
  hash TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  sandbox_id TEXT NOT NULL REFERENCES sandboxes(id) ON DELETE CASCADE,
  port INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS access_tokens_expiry ON access_tokens (expires_at);
DROP INDEX IF EXISTS access_tokens_sandbox;
CREATE INDEX access_tokens_sandbox ON access_tokens (sandbox_id, kind);
)sql";

// What lists count and choose by without reading whole rows.
constexpr const char* kByState = R"sql(
CREATE INDEX sandboxes_state ON sandboxes (organization_id, visible, desired, name) WHERE visible <> 'destroyed';
)sql";

// A time to live that is set later counts from then. Earlier rows have what was lived in `ttl`, in whole minutes.
constexpr const char* kTtlAfter = R"sql(
ALTER TABLE sandboxes ADD COLUMN ttl_after INTEGER NOT NULL DEFAULT 0;
)sql";

// What is here has been taken by somebody's database: a change is a step of its own
// (tests/integration/old_databases_test.py).
constexpr const char* kSteps[] = {kFirst, kLogins, kTokensByKind, kByState, kTtlAfter};

}  // namespace

std::span<const char* const> schema_steps() { return kSteps; }

}  // namespace sebring::store
