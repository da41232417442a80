#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "db/aside.h"
#include "db/writer.h"
#include "model/sandbox.h"
#include "store/sandbox_filter.h"

namespace sebring::store {

namespace asio = boost::asio;

class SandboxStore {
 public:
  SandboxStore(db::Connection& reader, db::Writer& writer, db::Aside& aside)
      : reader_(&reader), writer_(&writer), aside_(&aside) {}

  // Whatever its state, destroyed ones too until they are purged.
  asio::awaitable<Result<std::optional<model::Sandbox>>> find(std::string id);
  // Id first, then name; never a destroyed one, never another organization's.
  asio::awaitable<Result<std::optional<model::Sandbox>>> find(std::string organization_id, std::string id_or_name);
  asio::awaitable<Result<bool>> name_taken(std::string organization_id, std::string name);
  // Both lists read beside the loop: with a hundred thousand rows they may take long. Errc::exhausted when too many
  // wait.
  asio::awaitable<Result<CursorPage>> list(SandboxFilter filter, CursorQuery query);
  asio::awaitable<Result<NumberedPage>> list_numbered(SandboxFilter filter, NumberedQuery query);
  // Each that is not destroyed, of everybody; for start-up.
  Result<void> each_living(const std::function<void(model::Sandbox)>& take);
  asio::awaitable<Result<std::vector<model::Sandbox>>> forks_of(std::string id, bool with_destroyed);
  asio::awaitable<Result<std::vector<model::Sandbox>>> linked_to(std::string id);

  // By which request a sandbox was made, so that the same request asked again finds it.
  struct RequestMark {
    std::string key;           // as the client chose it
    std::string request_hash;  // of what was asked
    std::string sandbox_id;
  };
  // As long as the sandbox's row is there.
  asio::awaitable<Result<std::optional<RequestMark>>> find_mark(std::string organization_id, std::string key);

  // Writes with version 1. Errc::conflict when the name is taken.
  db::Pending insert_later(const model::Sandbox& sandbox, db::Urgency urgency,
                           std::optional<RequestMark> mark = std::nullopt);
  // Writes everything that may change, and `version` + 1. Errc::conflict, nothing written, when the row is of another
  // version than `sandbox`. The caller counts its own copy up.
  db::Pending update_later(const model::Sandbox& sandbox, db::Urgency urgency);
  // Times of activity only; does not count as a version.
  struct Activity {
    std::string id;
    WallMs at;
    model::ServiceMs service;
  };
  db::Pending touch_later(std::vector<Activity> activities);
  // Removes rows of sandboxes that were destroyed before `before`; how many.
  asio::awaitable<Result<std::int64_t>> purge_destroyed(model::ServiceMs before);

 private:
  asio::awaitable<Result<std::vector<model::Sandbox>>> list_where(std::string where, std::string value);
  db::Connection* reader_;
  db::Writer* writer_;
  db::Aside* aside_;
};

}  // namespace sebring::store
