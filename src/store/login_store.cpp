#include "store/login_store.h"

namespace sebring::store {

asio::awaitable<Result<std::optional<LoginSession>>> LoginStore::find(std::string hash) {
  SB_CO_TRY(auto query,
            reader_->query("SELECT key_hash, created_at, expires_at FROM login_sessions WHERE hash=?", hash));
  SB_CO_TRY(bool row, query.step());
  if (!row) co_return std::nullopt;
  co_return LoginSession{hash, query.text(0), query.integer(1), query.integer(2)};
}

asio::awaitable<Result<void>> LoginStore::insert(LoginSession session, std::int64_t most) {
  co_return co_await writer_->write([s = std::move(session), most](db::Connection& connection) -> Result<void> {
    SB_CHECK(
        connection.run("DELETE FROM login_sessions WHERE hash IN (SELECT hash FROM login_sessions WHERE key_hash=? "
                       "ORDER BY created_at DESC, hash LIMIT -1 OFFSET ?)",
                       s.key_hash, most - 1));
    SB_CHECK(connection.run("INSERT INTO login_sessions (hash, key_hash, created_at, expires_at) VALUES (?, ?, ?, ?)",
                            s.hash, s.key_hash, s.created_at, s.expires_at));
    return {};
  });
}

asio::awaitable<Result<void>> LoginStore::remove(std::string hash) {
  co_return co_await writer_->write([hash = std::move(hash)](db::Connection& connection) -> Result<void> {
    SB_CHECK(connection.run("DELETE FROM login_sessions WHERE hash=?", hash));
    return {};
  });
}

asio::awaitable<Result<void>> LoginStore::purge(WallMs expired_before) {
  co_return co_await writer_->write([expired_before](db::Connection& connection) -> Result<void> {
    SB_CHECK(connection.run("DELETE FROM login_sessions WHERE expires_at<?", expired_before));
    return {};
  });
}

}  // namespace sebring::store
