#include "store/access_token_store.h"

namespace sebring::store {
namespace {

using model::AccessToken;

const char* to_text(AccessToken::Kind kind) { return kind == AccessToken::Kind::ssh ? "ssh" : "preview"; }

// Expired ones are kept for a while, in case it is the clock that is wrong, but not here.
Result<void> make_room(db::Connection& connection, const AccessToken& token, std::int64_t others_max) {
  auto is_full = [&]() -> Result<bool> {
    SB_TRY(auto query, connection.query("SELECT count(*) FROM (SELECT 1 FROM access_tokens WHERE sandbox_id=? AND "
                                        "kind=? LIMIT ?)",
                                        token.sandbox_id, to_text(token.kind), others_max));
    SB_CHECK(query.step());
    return query.integer(0) >= others_max;
  };
  SB_TRY(bool full, is_full());
  if (!full) return {};
  SB_CHECK(
      connection.run("DELETE FROM access_tokens WHERE hash IN (SELECT hash FROM access_tokens WHERE sandbox_id=? "
                     "AND kind=? AND expires_at<=? LIMIT ?)",
                     token.sandbox_id, to_text(token.kind), token.created_at, others_max));
  SB_TRY(full, is_full());
  if (!full) return {};
  return fail(Errc::exhausted, "The sandbox has " + std::to_string(others_max) + " such tokens that have not expired");
}

}  // namespace

asio::awaitable<Result<std::optional<AccessToken>>> AccessTokenStore::find(AccessToken::Kind kind, std::string hash) {
  SB_CO_TRY(auto query, reader_->query("SELECT id, sandbox_id, port, created_at, expires_at FROM access_tokens "
                                       "WHERE hash=? AND kind=?",
                                       hash, to_text(kind)));
  SB_CO_TRY(bool row, query.step());
  if (!row) co_return std::nullopt;
  co_return AccessToken{.id = query.text(0),
                        .kind = kind,
                        .hash = hash,
                        .sandbox_id = query.text(1),
                        .port = static_cast<std::uint16_t>(query.integer(2)),
                        .created_at = query.integer(3),
                        .expires_at = query.integer(4)};
}

asio::awaitable<Result<void>> AccessTokenStore::insert(AccessToken token, std::int64_t others_max) {
  co_return co_await writer_->write([t = std::move(token), others_max](db::Connection& connection) -> Result<void> {
    if (others_max == 0) {
      SB_CHECK(
          connection.run("DELETE FROM access_tokens WHERE kind=? AND sandbox_id=?", to_text(t.kind), t.sandbox_id));
    } else {
      SB_CHECK(make_room(connection, t, others_max));
    }
    SB_CHECK(connection.run(
        "INSERT INTO access_tokens (hash, kind, id, sandbox_id, port, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        t.hash, to_text(t.kind), t.id, t.sandbox_id, static_cast<int>(t.port), t.created_at, t.expires_at));
    return {};
  });
}

asio::awaitable<Result<std::int64_t>> AccessTokenStore::remove(AccessToken::Kind kind, std::string sandbox_id,
                                                               std::optional<std::string> hash) {
  auto removed = std::make_shared<std::int64_t>(0);
  SB_CO_CHECK(co_await writer_->write([kind, sandbox_id = std::move(sandbox_id), hash = std::move(hash),
                                       removed](db::Connection& connection) -> Result<void> {
    // One is found by its hash: its sandbox may have 100,000 links.
    SB_TRY(*removed,
           hash ? connection.run("DELETE FROM access_tokens WHERE hash=? AND kind=? AND sandbox_id=?", *hash,
                                 to_text(kind), sandbox_id)
                : connection.run("DELETE FROM access_tokens WHERE kind=? AND sandbox_id=?", to_text(kind), sandbox_id));
    return {};
  }));
  co_return *removed;
}

asio::awaitable<Result<std::int64_t>> AccessTokenStore::purge_of_destroyed(model::ServiceMs before) {
  auto removed = std::make_shared<std::int64_t>(0);
  SB_CO_CHECK(co_await writer_->write([before, removed](db::Connection& connection) -> Result<void> {
    SB_TRY(*removed,
           connection.run("DELETE FROM access_tokens WHERE hash IN (SELECT t.hash FROM sandboxes s CROSS JOIN "
                          "access_tokens t ON t.sandbox_id=s.id WHERE s.visible='destroyed' AND s.since<? "
                          "LIMIT 500)",
                          before));
    return {};
  }));
  co_return *removed;
}

asio::awaitable<Result<std::int64_t>> AccessTokenStore::purge(WallMs expired_before) {
  auto removed = std::make_shared<std::int64_t>(0);
  SB_CO_CHECK(co_await writer_->write([expired_before, removed](db::Connection& connection) -> Result<void> {
    SB_TRY(*removed, connection.run("DELETE FROM access_tokens WHERE hash IN (SELECT hash FROM access_tokens WHERE "
                                    "expires_at<? LIMIT 500)",
                                    expired_before));
    return {};
  }));
  co_return *removed;
}

}  // namespace sebring::store
