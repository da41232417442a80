#include "store/settings_store.h"

namespace sebring::store {

asio::awaitable<Result<std::optional<std::string>>> SettingsStore::find(std::string key) {
  SB_CO_TRY(auto query, reader_->query("SELECT value FROM settings WHERE key=?", key));
  SB_CO_TRY(bool row, query.step());
  if (!row) co_return std::nullopt;
  co_return query.text(0);
}

db::Pending SettingsStore::set_later(std::string key, std::string value) {
  return writer_->submit(
      [key = std::move(key), value = std::move(value)](db::Connection& connection) -> Result<void> {
        SB_CHECK(
            connection.run("INSERT INTO settings (key, value) VALUES (?, ?) "
                           "ON CONFLICT (key) DO UPDATE SET value=excluded.value",
                           key, value));
        return {};
      },
      db::Urgency::lazy);
}

asio::awaitable<Result<void>> SettingsStore::set(std::string key, std::string value) {
  auto pending = set_later(std::move(key), std::move(value));
  co_return co_await pending.wait();
}

}  // namespace sebring::store
