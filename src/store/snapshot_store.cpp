#include "store/snapshot_store.h"

#include "base/random.h"
#include "base/text.h"
#include "store/json_column.h"

namespace sebring::store {
namespace {

#define SNAPSHOT_COLUMNS                                                                                    \
  "id, organization_id, name, image_name, state, hidden, size_bytes, user, image, cpu, gpu, memory, disk, " \
  "sandbox_class, region_id, source_sandbox_id, error_reason, created_at, updated_at, last_used_at"

constexpr const char* kSelect = "SELECT " SNAPSHOT_COLUMNS " FROM snapshots ";
constexpr const char* kInsert =
    "INSERT INTO snapshots (" SNAPSHOT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kReplace =
    " ON CONFLICT (organization_id, name) DO UPDATE SET image_name=excluded.image_name, state=excluded.state, "
    "hidden=excluded.hidden, size_bytes=excluded.size_bytes, user=excluded.user, image=excluded.image, "
    "cpu=excluded.cpu, gpu=excluded.gpu, memory=excluded.memory, disk=excluded.disk, "
    "sandbox_class=excluded.sandbox_class, region_id=excluded.region_id, error_reason=excluded.error_reason, "
    "updated_at=excluded.updated_at";

model::Snapshot read(db::Query& row) {
  model::Snapshot s;
  s.id = row.text(0);
  s.organization_id = row.text(1);
  s.name = row.text(2);
  s.image_name = row.text(3);
  s.state = model::parse_snapshot_state(row.text(4)).value_or(model::SnapshotState::error);
  s.hidden = row.boolean(5);
  s.size_bytes = row.optional_integer(6);
  s.user = row.text(7);
  s.image = read_image(row.text(8));
  s.resources = {.cpu = static_cast<int>(row.integer(9)),
                 .gpu = static_cast<int>(row.integer(10)),
                 .memory_gib = static_cast<int>(row.integer(11)),
                 .disk_gib = static_cast<int>(row.integer(12))};
  s.sandbox_class = row.text(13);
  s.region_id = row.text(14);
  s.source_sandbox_id = row.optional_text(15);
  s.error_reason = row.optional_text(16);
  s.created_at = row.integer(17);
  s.updated_at = row.integer(18);
  s.last_used_at = row.optional_integer(19);
  return s;
}

Result<void> write_row(db::Connection& connection, const std::string& sql, const model::Snapshot& s) {
  SB_CHECK(connection.run(sql, s.id, s.organization_id, s.name, s.image_name, model::to_text(s.state), s.hidden,
                          s.size_bytes, s.user, to_column(s.image), s.resources.cpu, s.resources.gpu,
                          s.resources.memory_gib, s.resources.disk_gib, s.sandbox_class, s.region_id,
                          s.source_sandbox_id, s.error_reason, s.created_at, s.updated_at, s.last_used_at));
  return {};
}

const char* column_of(SnapshotSort sort) {
  switch (sort) {
    case SnapshotSort::name:
      return "name";
    case SnapshotSort::state:
      return "state";
    case SnapshotSort::created_at:
      return "created_at";
    case SnapshotSort::last_used_at:
      break;
  }
  return "last_used_at";
}

std::string like_part(std::string_view text) {
  std::string pattern = "%";
  for (char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

constexpr const char* kListWhere =
    "WHERE (organization_id=? OR organization_id='') AND hidden=0 AND name LIKE ? ESCAPE '\\' "
    "AND (? IS NULL OR source_sandbox_id=?) ";

}  // namespace

asio::awaitable<Result<std::optional<model::Snapshot>>> SnapshotStore::find(std::string organization_id,
                                                                            std::string id_or_name) {
  if (is_uuid(id_or_name)) {
    SB_CO_TRY(auto query,
              reader_->query(std::string(kSelect) + "WHERE id=? AND (organization_id=? OR organization_id='')",
                             to_lower(id_or_name), organization_id));
    SB_CO_TRY(bool row, query.step());
    if (row) co_return read(query);
  }
  SB_CO_TRY(auto query,
            reader_->query(std::string(kSelect) + "WHERE name=? AND (organization_id=? OR organization_id='') "
                                                  "ORDER BY organization_id DESC LIMIT 1",
                           id_or_name, organization_id));
  SB_CO_TRY(bool row, query.step());
  if (!row) co_return std::nullopt;
  co_return read(query);
}

asio::awaitable<Result<SnapshotPage>> SnapshotStore::list(SnapshotQuery q) {
  SnapshotPage page;
  const std::string like = like_part(q.name_part);
  {
    SB_CO_TRY(auto count, reader_->query(std::string("SELECT count(*) FROM snapshots ") + kListWhere, q.organization_id,
                                         like, q.source_sandbox_id, q.source_sandbox_id));
    SB_CO_CHECK(count.step());
    page.total = count.integer(0);
  }
  const char* direction = q.ascending ? " ASC" : " DESC";
  const std::string order = std::string("ORDER BY organization_id='', ") + column_of(q.sort) + direction +
                            " NULLS LAST, created_at, id LIMIT ? OFFSET ?";
  SB_CO_TRY(auto query, reader_->query(std::string(kSelect) + kListWhere + order, q.organization_id, like,
                                       q.source_sandbox_id, q.source_sandbox_id, q.limit, (q.page - 1) * q.limit));
  for (;;) {
    SB_CO_TRY(bool row, query.step());
    if (!row) co_return page;
    page.items.push_back(read(query));
  }
}

asio::awaitable<Result<bool>> SnapshotStore::exists(std::string id) {
  SB_CO_TRY(auto query, reader_->query("SELECT 1 FROM snapshots WHERE id=?", id));
  SB_CO_TRY(const bool found, query.step());
  co_return found;
}

asio::awaitable<Result<std::int64_t>> SnapshotStore::count(std::string organization_id) {
  SB_CO_TRY(auto query, reader_->query("SELECT count(*) FROM snapshots WHERE organization_id=?", organization_id));
  SB_CO_CHECK(query.step());
  co_return query.integer(0);
}

asio::awaitable<Result<void>> SnapshotStore::insert(model::Snapshot snapshot) {
  co_return co_await writer_->write(
      [s = std::move(snapshot)](db::Connection& connection) { return write_row(connection, kInsert, s); });
}

asio::awaitable<Result<void>> SnapshotStore::put(model::Snapshot snapshot) {
  co_return co_await writer_->write([s = std::move(snapshot)](db::Connection& connection) {
    return write_row(connection, std::string(kInsert) + kReplace, s);
  });
}

asio::awaitable<Result<void>> SnapshotStore::update(model::Snapshot snapshot) {
  co_return co_await writer_->write([s = std::move(snapshot)](db::Connection& connection) -> Result<void> {
    SB_TRY(auto changed, connection.run("UPDATE snapshots SET state=?, size_bytes=?, image=?, error_reason=?, "
                                        "updated_at=?, organization_id=? WHERE id=?",
                                        model::to_text(s.state), s.size_bytes, to_column(s.image), s.error_reason,
                                        s.updated_at, s.organization_id, s.id));
    if (changed == 0) return fail(Errc::not_found, "Snapshot " + s.name + " not found");
    return {};
  });
}

asio::awaitable<Result<void>> SnapshotStore::remove(std::string id) {
  co_return co_await writer_->write([id = std::move(id)](db::Connection& connection) -> Result<void> {
    SB_CHECK(connection.run("DELETE FROM snapshots WHERE id=?", id));
    return {};
  });
}

void SnapshotStore::touch_later(std::string id, WallMs used_at) {
  (void)writer_->submit(
      [id = std::move(id), used_at](db::Connection& connection) -> Result<void> {
        SB_CHECK(connection.run("UPDATE snapshots SET last_used_at=? WHERE id=?", used_at, id));
        return {};
      },
      db::Urgency::lazy);
}

}  // namespace sebring::store
