#pragma once
#include <optional>
#include <string>

#include "db/writer.h"

namespace sebring::store {

namespace asio = boost::asio;

// Small facts of this installation by name.
class SettingsStore {
 public:
  SettingsStore(db::Connection& reader, db::Writer& writer) : reader_(&reader), writer_(&writer) {}
  asio::awaitable<Result<std::optional<std::string>>> find(std::string key);
  asio::awaitable<Result<void>> set(std::string key, std::string value);
  db::Pending set_later(std::string key, std::string value);

 private:
  db::Connection* reader_;
  db::Writer* writer_;
};

}  // namespace sebring::store
