#include "store/store.h"

#include "db/migrate.h"
#include "store/schema.h"

namespace sebring::store {

namespace {
// A thousand changes of sandboxes fit into it, and a checkpoint.
constexpr std::int64_t kReserveBytes = 16 << 20;
}  // namespace

Store::Store(std::unique_ptr<db::Connection> reader, std::unique_ptr<db::Writer> writer,
             std::unique_ptr<db::Aside> aside)
    : sandboxes(*reader, *writer, *aside),
      snapshots(*reader, *writer),
      api_keys(*reader, *writer),
      organizations(*reader, *writer),
      settings(*reader, *writer),
      access_tokens(*reader, *writer),
      logins(*reader, *writer),
      reader_(std::move(reader)),
      writer_(std::move(writer)),
      aside_(std::move(aside)) {}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, asio::any_io_executor executor) {
  SB_TRY(auto writing, db::Connection::open(path, db::Connection::Mode::write));
  SB_CHECK(db::migrate(writing, schema_steps()));
  SB_TRY(auto reading, db::Connection::open(path, db::Connection::Mode::read));
  SB_TRY(auto beside, db::Connection::open(path, db::Connection::Mode::read));
  auto aside = std::make_unique<db::Aside>(std::move(beside), executor);
  return std::unique_ptr<Store>(new Store(std::make_unique<db::Connection>(std::move(reading)),
                                          std::make_unique<db::Writer>(std::move(writing), std::move(executor),
                                                                       db::Ballast(path + "-reserve", kReserveBytes)),
                                          std::move(aside)));
}

}  // namespace sebring::store
