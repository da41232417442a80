#pragma once
#include <optional>
#include <string>

#include "db/writer.h"
#include "model/access_token.h"
#include "model/sandbox.h"

namespace sebring::store {

namespace asio = boost::asio;

class AccessTokenStore {
 public:
  AccessTokenStore(db::Connection& reader, db::Writer& writer) : reader_(&reader), writer_(&writer) {}
  asio::awaitable<Result<std::optional<model::AccessToken>>> find(model::AccessToken::Kind kind, std::string hash);
  // Besides `others_max` of this kind and sandbox. 0: all earlier ones end. Else Errc::exhausted when there are as many
  // that have not expired as of its `created_at`.
  asio::awaitable<Result<void>> insert(model::AccessToken token, std::int64_t others_max);
  // One of a sandbox, or all of that kind when `hash` is absent; how many there were.
  asio::awaitable<Result<std::int64_t>> remove(model::AccessToken::Kind kind, std::string sandbox_id,
                                               std::optional<std::string> hash);
  // Some hundred of them; how many. For who calls until none is left.
  asio::awaitable<Result<std::int64_t>> purge(WallMs expired_before);
  // The same of those whose sandbox was destroyed before.
  asio::awaitable<Result<std::int64_t>> purge_of_destroyed(model::ServiceMs before);

 private:
  db::Connection* reader_;
  db::Writer* writer_;
};

}  // namespace sebring::store
