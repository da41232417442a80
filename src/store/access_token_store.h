#pragma once
#include <optional>
#include <string>

#include "db/writer.h"
#include "model/access_token.h"

namespace sebring::store {

namespace asio = boost::asio;

class AccessTokenStore {
 public:
  AccessTokenStore(db::Connection& reader, db::Writer& writer) : reader_(&reader), writer_(&writer) {}
  asio::awaitable<Result<std::optional<model::AccessToken>>> find(model::AccessToken::Kind kind, std::string hash);
  // `alone`: all earlier ones of this kind and sandbox end.
  asio::awaitable<Result<void>> insert(model::AccessToken token, bool alone);
  // One of a sandbox, or all of that kind when `hash` is absent; how many there were.
  asio::awaitable<Result<std::int64_t>> remove(model::AccessToken::Kind kind, std::string sandbox_id,
                                               std::optional<std::string> hash);
  // Some hundred of them; how many. For who calls until none is left.
  asio::awaitable<Result<std::int64_t>> purge(WallMs expired_before);

 private:
  db::Connection* reader_;
  db::Writer* writer_;
};

}  // namespace sebring::store
