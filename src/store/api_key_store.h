#pragma once
#include <optional>
#include <string>
#include <vector>

#include "db/writer.h"
#include "model/api_key.h"

namespace sebring::store {

namespace asio = boost::asio;

class ApiKeyStore {
 public:
  ApiKeyStore(db::Connection& reader, db::Writer& writer) : reader_(&reader), writer_(&writer) {}
  asio::awaitable<Result<std::vector<model::ApiKey>>> list(std::string organization_id);
  asio::awaitable<Result<std::optional<model::ApiKey>>> find(std::string organization_id, std::string user_id,
                                                             std::string name);
  asio::awaitable<Result<std::optional<model::ApiKey>>> find_by_hash(std::string hash);
  // Errc::conflict when the user has one of that name.
  asio::awaitable<Result<void>> insert(model::ApiKey key);
  // False when there was none.
  asio::awaitable<Result<bool>> remove(std::string organization_id, std::string user_id, std::string name);
  // For show only: nobody waits for it.
  void touch_later(std::string hash, WallMs used_at);

 private:
  db::Connection* reader_;
  db::Writer* writer_;
};

}  // namespace sebring::store
