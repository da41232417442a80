#include "store/organization_store.h"

namespace sebring::store {
namespace {

constexpr const char* kSelect =
    "SELECT id, name, created_by, personal, default_region_id, created_at, updated_at FROM organizations";

model::Organization read(db::Query& row) {
  return {.id = row.text(0),
          .name = row.text(1),
          .created_by = row.text(2),
          .personal = row.boolean(3),
          .default_region_id = row.text(4),
          .created_at = row.integer(5),
          .updated_at = row.integer(6)};
}

}  // namespace

asio::awaitable<Result<std::vector<model::Organization>>> OrganizationStore::list() {
  SB_CO_TRY(auto query, reader_->query(std::string(kSelect) + " ORDER BY created_at, id"));
  std::vector<model::Organization> found;
  for (;;) {
    SB_CO_TRY(bool row, query.step());
    if (!row) co_return found;
    found.push_back(read(query));
  }
}

asio::awaitable<Result<std::optional<model::Organization>>> OrganizationStore::find(std::string id) {
  SB_CO_TRY(auto query, reader_->query(std::string(kSelect) + " WHERE id=?", id));
  SB_CO_TRY(bool row, query.step());
  if (!row) co_return std::nullopt;
  co_return read(query);
}

asio::awaitable<Result<std::optional<model::User>>> OrganizationStore::find_user(std::string id) {
  SB_CO_TRY(auto query, reader_->query("SELECT id, name, email, created_at FROM users WHERE id=?", id));
  SB_CO_TRY(bool row, query.step());
  if (!row) co_return std::nullopt;
  co_return model::User{query.text(0), query.text(1), query.text(2), query.integer(3)};
}

asio::awaitable<Result<void>> OrganizationStore::insert(model::User user, model::Organization organization) {
  co_return co_await writer_->write(
      [user = std::move(user), o = std::move(organization)](db::Connection& connection) -> Result<void> {
        SB_CHECK(connection.run("INSERT INTO users (id, name, email, created_at) VALUES (?, ?, ?, ?)", user.id,
                                user.name, user.email, user.created_at));
        SB_CHECK(
            connection.run("INSERT INTO organizations (id, name, created_by, personal, default_region_id, "
                           "created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                           o.id, o.name, o.created_by, o.personal, o.default_region_id, o.created_at, o.updated_at));
        return {};
      });
}

asio::awaitable<Result<void>> OrganizationStore::set_default_region(std::string id, std::string region_id, WallMs now) {
  co_return co_await writer_->write(
      [id = std::move(id), region_id = std::move(region_id), now](db::Connection& connection) -> Result<void> {
        SB_CHECK(connection.run("UPDATE organizations SET default_region_id=?, updated_at=? WHERE id=?", region_id, now,
                                id));
        return {};
      });
}

}  // namespace sebring::store
