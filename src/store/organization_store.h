#pragma once
#include <optional>
#include <string>
#include <vector>

#include "db/writer.h"
#include "model/organization.h"

namespace sebring::store {

namespace asio = boost::asio;

class OrganizationStore {
 public:
  OrganizationStore(db::Connection& reader, db::Writer& writer) : reader_(&reader), writer_(&writer) {}
  asio::awaitable<Result<std::vector<model::Organization>>> list();
  asio::awaitable<Result<std::optional<model::Organization>>> find(std::string id);
  asio::awaitable<Result<std::optional<model::User>>> find_user(std::string id);
  asio::awaitable<Result<void>> insert(model::User user, model::Organization organization);
  asio::awaitable<Result<void>> set_default_region(std::string id, std::string region_id, WallMs now);

 private:
  db::Connection* reader_;
  db::Writer* writer_;
};

}  // namespace sebring::store
