#include "store/api_key_store.h"

#include "base/text.h"

namespace sebring::store {
namespace {

constexpr const char* kSelect =
    "SELECT organization_id, user_id, name, hash, prefix, suffix, permissions, created_at, last_used_at, expires_at "
    "FROM api_keys ";

std::string permissions_text(const model::Permissions& permissions) {
  std::string text;
  for (std::string_view name : permissions.names()) {
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

model::ApiKey read(db::Query& row) {
  model::ApiKey key;
  key.organization_id = row.text(0);
  key.user_id = row.text(1);
  key.name = row.text(2);
  key.hash = row.text(3);
  key.prefix = row.text(4);
  key.suffix = row.text(5);
  const std::string permissions = row.text(6);
  for (std::string_view name : split(permissions, ',')) {
    if (auto permission = model::parse_permission(name)) key.permissions.add(*permission);
  }
  key.created_at = row.integer(7);
  key.last_used_at = row.optional_integer(8);
  key.expires_at = row.optional_integer(9);
  return key;
}

Result<std::optional<model::ApiKey>> read_one(Result<db::Query> query) {
  if (!query) return std::unexpected(std::move(query).error());
  SB_TRY(bool row, query->step());
  if (!row) return std::nullopt;
  return read(*query);
}

}  // namespace

asio::awaitable<Result<std::vector<model::ApiKey>>> ApiKeyStore::list(std::string organization_id) {
  SB_CO_TRY(auto query, reader_->query(std::string(kSelect) + "WHERE organization_id=? ORDER BY created_at, name",
                                       organization_id));
  std::vector<model::ApiKey> keys;
  for (;;) {
    SB_CO_TRY(bool row, query.step());
    if (!row) co_return keys;
    keys.push_back(read(query));
  }
}

asio::awaitable<Result<std::optional<model::ApiKey>>> ApiKeyStore::find(std::string organization_id,
                                                                        std::string user_id, std::string name) {
  co_return read_one(reader_->query(std::string(kSelect) + "WHERE organization_id=? AND user_id=? AND name=?",
                                    organization_id, user_id, name));
}

asio::awaitable<Result<std::optional<model::ApiKey>>> ApiKeyStore::find_by_hash(std::string hash) {
  co_return read_one(reader_->query(std::string(kSelect) + "WHERE hash=?", hash));
}

asio::awaitable<Result<void>> ApiKeyStore::insert(model::ApiKey key) {
  co_return co_await writer_->write([k = std::move(key)](db::Connection& connection) -> Result<void> {
    SB_CHECK(
        connection.run("INSERT INTO api_keys (organization_id, user_id, name, hash, prefix, suffix, permissions, "
                       "created_at, last_used_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       k.organization_id, k.user_id, k.name, k.hash, k.prefix, k.suffix,
                       permissions_text(k.permissions), k.created_at, k.last_used_at, k.expires_at));
    return {};
  });
}

asio::awaitable<Result<bool>> ApiKeyStore::remove(std::string organization_id, std::string user_id, std::string name) {
  auto removed = std::make_shared<bool>(false);
  SB_CO_CHECK(co_await writer_->write([organization_id = std::move(organization_id), user_id = std::move(user_id),
                                       name = std::move(name), removed](db::Connection& connection) -> Result<void> {
    SB_TRY(auto changed, connection.run("DELETE FROM api_keys WHERE organization_id=? AND user_id=? AND name=?",
                                        organization_id, user_id, name));
    *removed = changed > 0;
    return {};
  }));
  co_return *removed;
}

void ApiKeyStore::touch_later(std::string hash, WallMs used_at) {
  (void)writer_->submit(
      [hash = std::move(hash), used_at](db::Connection& connection) -> Result<void> {
        SB_CHECK(connection.run("UPDATE api_keys SET last_used_at=? WHERE hash=?", used_at, hash));
        return {};
      },
      db::Urgency::lazy);
}

}  // namespace sebring::store
