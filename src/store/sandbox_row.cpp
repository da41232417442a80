#include "store/sandbox_row.h"

#include "store/json_column.h"

namespace sebring::store {

void bind_fixed(db::Query& query, const model::Sandbox& s) {
  query.bind(s.id);
  query.bind(s.organization_id);
  query.bind(s.region_id);
  query.bind(s.sandbox_class);
  query.bind(s.snapshot);
  query.bind(to_column(s.image));
  query.bind(s.user);
  query.bind(to_column(s.env));
  query.bind(s.volumes.empty() ? std::string("[]") : to_column(s.volumes));
  query.bind(s.parent_id);
  query.bind(s.linked_sandbox_id);
  query.bind(s.created_at);
  query.bind(s.created);
}

void bind_mutable(db::Query& query, const model::Sandbox& s, std::int64_t version) {
  query.bind(s.name);
  query.bind(s.runner_id);
  query.bind(model::to_text(s.state));
  query.bind(model::to_text(s.desired));
  query.bind(model::to_text(s.visible()));
  query.bind(s.error_reason);
  query.bind(s.recoverable);
  query.bind(to_column(s.labels));
  query.bind(s.resources.cpu);
  query.bind(s.resources.gpu);
  query.bind(s.resources.memory_gib);
  query.bind(s.resources.disk_gib);
  query.bind(s.intervals.stop);
  query.bind(s.intervals.pause);
  query.bind(s.intervals.archive);
  query.bind(s.intervals.destroy);
  query.bind(s.intervals.ttl);
  query.bind(s.intervals.ttl_after_ms);
  query.bind(s.is_public);
  query.bind(s.network_block_all);
  query.bind(s.network_allow_list);
  query.bind(s.domain_allow_list);
  query.bind(model::to_text(s.backup_state));
  query.bind(s.backup_created_at);
  query.bind(s.archive ? std::optional(to_column(*s.archive)) : std::nullopt);
  query.bind(s.daemon_version);
  query.bind(s.auth_token);
  query.bind(s.signing_key);
  query.bind(s.updated_at);
  query.bind(s.last_activity_at);
  query.bind(s.auto_destroy_at);
  query.bind(s.since);
  query.bind(s.active);
  query.bind(version);
}

namespace {

// Reads columns one after the other, in the order of SANDBOX_COLUMNS.
class Columns {
 public:
  explicit Columns(const db::Query& row) : row_(row) {}
  std::string text() { return row_.text(next_++); }
  std::optional<std::string> optional_text() { return row_.optional_text(next_++); }
  std::int64_t integer() { return row_.integer(next_++); }
  int small() { return static_cast<int>(integer()); }
  bool boolean() { return integer() != 0; }
  std::optional<std::int64_t> optional_integer() { return row_.optional_integer(next_++); }

 private:
  const db::Query& row_;
  int next_ = 0;
};

void read_fixed(Columns& row, model::Sandbox& s) {
  s.id = row.text();
  s.organization_id = row.text();
  s.region_id = row.text();
  s.sandbox_class = row.text();
  s.snapshot = row.optional_text();
  s.image = read_image(row.text());
  s.user = row.text();
  s.env = read_text_map(row.text());
  s.volumes = read_volumes(row.text());
  s.parent_id = row.optional_text();
  s.linked_sandbox_id = row.optional_text();
  s.created_at = row.integer();
  s.created = row.integer();
}

void read_mutable(Columns& row, model::Sandbox& s) {
  s.name = row.text();
  s.runner_id = row.text();
  s.state = model::parse_sandbox_state(row.text()).value_or(model::SandboxState::unknown);
  s.desired = model::parse_desired_state(row.text()).value_or(model::DesiredState::stopped);
  row.text();  // visible: for searching only
  s.error_reason = row.optional_text();
  s.recoverable = row.boolean();
  s.labels = read_text_map(row.text());
  s.resources.cpu = row.small();
  s.resources.gpu = row.small();
  s.resources.memory_gib = row.small();
  s.resources.disk_gib = row.small();
  s.intervals.stop = row.integer();
  s.intervals.pause = row.integer();
  s.intervals.archive = row.integer();
  s.intervals.destroy = row.integer();
  s.intervals.ttl = row.integer();
  s.intervals.ttl_after_ms = row.integer();
  s.is_public = row.boolean();
  s.network_block_all = row.boolean();
  s.network_allow_list = row.optional_text();
  s.domain_allow_list = row.optional_text();
  s.backup_state = model::parse_backup_state(row.text()).value_or(model::BackupState::none);
  s.backup_created_at = row.optional_integer();
  if (auto archive = row.optional_text()) s.archive = read_archive(*archive);
  s.daemon_version = row.optional_text();
  s.auth_token = row.text();
  s.signing_key = row.text();
  s.updated_at = row.integer();
  s.last_activity_at = row.integer();
  s.auto_destroy_at = row.optional_integer();
  s.since = row.integer();
  s.active = row.integer();
  s.version = row.integer();
}

}  // namespace

model::Sandbox read_sandbox(const db::Query& row) {
  model::Sandbox sandbox;
  Columns columns(row);
  read_fixed(columns, sandbox);
  read_mutable(columns, sandbox);
  return sandbox;
}

std::string placeholders(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += i == 0 ? "?" : ",?";
  return text;
}

}  // namespace sebring::store
