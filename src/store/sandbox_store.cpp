#include "store/sandbox_store.h"

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "store/sandbox_row.h"

namespace sebring::store {
namespace {

constexpr const char* kSelect = "SELECT " SANDBOX_COLUMNS " FROM sandboxes ";

Result<std::optional<model::Sandbox>> read_one(Result<db::Query> query) {
  if (!query) return std::unexpected(std::move(query).error());
  SB_TRY(bool row, query->step());
  if (!row) return std::nullopt;
  return read_sandbox(*query);
}

Result<void> write_labels(db::Connection& connection, const model::Sandbox& sandbox) {
  for (const auto& [key, value] : sandbox.labels) {
    SB_CHECK(connection.run("INSERT INTO sandbox_labels (organization_id, key, value, sandbox_id) VALUES (?, ?, ?, ?)",
                            sandbox.organization_id, key, value, sandbox.id));
  }
  return {};
}

Result<void> insert_row(db::Connection& connection, const model::Sandbox& sandbox) {
  static const std::string sql =
      "INSERT INTO sandboxes (" SANDBOX_COLUMNS ") VALUES (" + placeholders(kSandboxFixed + kSandboxMutable) + ")";
  {
    SB_TRY(auto query, connection.query(sql));
    bind_fixed(query, sandbox);
    bind_mutable(query, sandbox, 1);
    auto done = query.step();
    if (!done && done.error().tag() == "unique") {
      return fail(Errc::conflict, "Sandbox with name " + sandbox.name + " already exists");
    }
    if (!done) return std::unexpected(std::move(done).error());
  }
  return write_labels(connection, sandbox);
}

Result<void> update_row(db::Connection& connection, const model::Sandbox& sandbox) {
  static const std::string sql = "UPDATE sandboxes SET (" SANDBOX_MUTABLE ") = (" + placeholders(kSandboxMutable) +
                                 ") WHERE id=? AND version=? RETURNING 1";
  {
    SB_TRY(auto query, connection.query(sql));
    bind_mutable(query, sandbox, sandbox.version + 1);
    query.bind(sandbox.id);
    query.bind(sandbox.version);
    SB_TRY(bool updated, query.step());
    if (!updated) return fail(Errc::conflict, "Sandbox was modified by another operation, please try again");
    SB_CHECK(query.step());
  }
  // Labels change rarely; reading the handful of old ones is cheaper than rewriting two indexes each time.
  model::TextMap stored;
  {
    SB_TRY(auto query, connection.query("SELECT key, value FROM sandbox_labels WHERE sandbox_id=?", sandbox.id));
    for (;;) {
      SB_TRY(bool row, query.step());
      if (!row) break;
      stored.emplace_back(query.text(0), query.text(1));
    }
  }
  bool same = stored.size() == sandbox.labels.size();
  for (const auto& label : sandbox.labels) same = same && std::ranges::find(stored, label) != stored.end();
  if (same) return {};
  SB_CHECK(connection.run("DELETE FROM sandbox_labels WHERE sandbox_id=?", sandbox.id));
  return write_labels(connection, sandbox);
}

}  // namespace

asio::awaitable<Result<std::optional<model::Sandbox>>> SandboxStore::find(std::string id) {
  static const std::string sql = std::string(kSelect) + "WHERE id=?";
  co_return read_one(reader_->query(sql, id));
}

asio::awaitable<Result<std::optional<model::Sandbox>>> SandboxStore::find(std::string organization_id,
                                                                          std::string id_or_name) {
  // What failed and is being deleted is not there any more for anybody, though the reconciler is still at it.
  static const std::string there =
      " AND visible<>'destroyed' AND NOT (desired='destroyed' AND visible IN ('error', 'build_failed'))";
  static const std::string by_id = kSelect + ("WHERE id=? AND organization_id=?" + there);
  static const std::string by_name = kSelect + ("WHERE organization_id=? AND name=?" + there);
  if (is_uuid(id_or_name)) {
    SB_CO_TRY(auto found, read_one(reader_->query(by_id, to_lower(id_or_name), organization_id)));
    if (found) co_return found;
  }
  co_return read_one(reader_->query(by_name, organization_id, id_or_name));
}

asio::awaitable<Result<bool>> SandboxStore::name_taken(std::string organization_id, std::string name) {
  SB_CO_TRY(auto query,
            reader_->query("SELECT 1 FROM sandboxes WHERE organization_id=? AND name=? AND visible<>'destroyed'",
                           organization_id, name));
  co_return query.step();
}

asio::awaitable<Result<std::vector<model::Sandbox>>> SandboxStore::list_where(std::string where, std::string value) {
  SB_CO_TRY(auto query, reader_->query(kSelect + where, value));
  std::vector<model::Sandbox> found;
  for (;;) {
    SB_CO_TRY(bool row, query.step());
    if (!row) co_return found;
    found.push_back(read_sandbox(query));
  }
}

Result<void> SandboxStore::each_living(const std::function<void(model::Sandbox)>& take) {
  static const std::string sql = kSelect + std::string("WHERE visible<>'destroyed'");
  SB_TRY(auto query, reader_->query(sql));
  for (;;) {
    SB_TRY(bool row, query.step());
    if (!row) return {};
    take(read_sandbox(query));
  }
}

asio::awaitable<Result<std::vector<model::Sandbox>>> SandboxStore::forks_of(std::string id, bool with_destroyed) {
  std::string where = "WHERE parent_id=?";
  if (!with_destroyed) where += " AND visible NOT IN ('destroyed', 'destroying')";
  co_return co_await list_where(where + " ORDER BY created_at, id", id);
}

asio::awaitable<Result<std::vector<model::Sandbox>>> SandboxStore::linked_to(std::string id) {
  co_return co_await list_where("WHERE linked_sandbox_id=? AND visible<>'destroyed' ORDER BY created_at, id", id);
}

asio::awaitable<Result<std::optional<SandboxStore::RequestMark>>> SandboxStore::find_mark(std::string organization_id,
                                                                                          std::string key) {
  SB_CO_TRY(auto query, reader_->query("SELECT request_hash, sandbox_id FROM request_marks WHERE organization_id=? AND "
                                       "key=?",
                                       organization_id, key));
  SB_CO_TRY(bool row, query.step());
  if (!row) co_return std::nullopt;
  co_return RequestMark{key, query.text(0), query.text(1)};
}

db::Pending SandboxStore::insert_later(const model::Sandbox& sandbox, db::Urgency urgency,
                                       std::optional<RequestMark> mark) {
  return writer_->submit(
      [sandbox, mark = std::move(mark)](db::Connection& connection) -> Result<void> {
        SB_CHECK(insert_row(connection, sandbox));
        if (!mark) return {};
        SB_CHECK(
            connection.run("INSERT OR REPLACE INTO request_marks (organization_id, key, request_hash, sandbox_id) "
                           "VALUES (?, ?, ?, ?)",
                           sandbox.organization_id, mark->key, mark->request_hash, sandbox.id));
        return {};
      },
      urgency);
}

db::Pending SandboxStore::update_later(const model::Sandbox& sandbox, db::Urgency urgency) {
  return writer_->submit([sandbox](db::Connection& connection) { return update_row(connection, sandbox); }, urgency);
}

db::Pending SandboxStore::touch_later(std::vector<Activity> activities) {
  return writer_->submit(
      [activities = std::move(activities)](db::Connection& connection) -> Result<void> {
        for (const Activity& activity : activities) {
          SB_CHECK(
              connection.run("UPDATE sandboxes SET last_activity_at=max(last_activity_at, ?), "
                             "active=max(active, ?) WHERE id=?",
                             activity.at, activity.service, activity.id));
        }
        return {};
      },
      db::Urgency::lazy);
}

asio::awaitable<Result<std::int64_t>> SandboxStore::purge_destroyed(model::ServiceMs before) {
  auto removed = std::make_shared<std::int64_t>(0);
  SB_CO_CHECK(co_await writer_->write([before, removed](db::Connection& connection) -> Result<void> {
    // A fork still living keeps its destroyed ancestors, so that its chain can be shown. Bounded: the writer is shared.
    SB_TRY(*removed, connection.run("DELETE FROM sandboxes WHERE id IN (SELECT s.id FROM sandboxes s WHERE "
                                    "s.visible='destroyed' AND s.since<? AND NOT EXISTS (SELECT 1 FROM sandboxes c "
                                    "WHERE c.parent_id=s.id) LIMIT 500)",
                                    before));
    return {};
  }));
  co_return *removed;
}

}  // namespace sebring::store
