#pragma once
#include <optional>
#include <string>
#include <vector>

#include "db/writer.h"
#include "model/snapshot.h"

namespace sebring::store {

namespace asio = boost::asio;

enum class SnapshotSort { name, state, last_used_at, created_at };

struct SnapshotQuery {
  std::string organization_id;  // its own and the general ones
  std::string name_part;        // without case; empty: all
  std::optional<std::string> source_sandbox_id;
  SnapshotSort sort = SnapshotSort::last_used_at;
  bool ascending = false;
  std::int64_t page = 1;
  std::int64_t limit = 100;
};

struct SnapshotPage {
  std::vector<model::Snapshot> items;
  std::int64_t total = 0;
};

class SnapshotStore {
 public:
  SnapshotStore(db::Connection& reader, db::Writer& writer) : reader_(&reader), writer_(&writer) {}
  // By id or by name; an organization's own name wins over a general one.
  asio::awaitable<Result<std::optional<model::Snapshot>>> find(std::string organization_id, std::string id_or_name);
  asio::awaitable<Result<SnapshotPage>> list(SnapshotQuery query);
  // Whether there is one of that id, of whatever organization.
  asio::awaitable<Result<bool>> exists(std::string id);
  // How many the organization has of its own.
  asio::awaitable<Result<std::int64_t>> count(std::string organization_id);
  // Errc::conflict when the organization has one of that name.
  asio::awaitable<Result<void>> insert(model::Snapshot snapshot);
  // Inserts, or replaces the one of that organization and name, which keeps its id.
  asio::awaitable<Result<void>> put(model::Snapshot snapshot);
  asio::awaitable<Result<void>> update(model::Snapshot snapshot);
  asio::awaitable<Result<void>> remove(std::string id);
  // For show only: nobody waits for it.
  void touch_later(std::string id, WallMs used_at);

 private:
  db::Connection* reader_;
  db::Writer* writer_;
};

}  // namespace sebring::store
