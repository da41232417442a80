#pragma once
#include <optional>
#include <string>

#include "base/time.h"
#include "db/writer.h"

namespace sebring::store {

namespace asio = boost::asio;

// Somebody who logged in with a browser by showing an API key. Goes with that key.
struct LoginSession {
  std::string hash;  // SHA-256 of what the cookie holds, hex
  std::string key_hash;
  WallMs created_at = 0;
  WallMs expires_at = 0;
};

class LoginStore {
 public:
  LoginStore(db::Connection& reader, db::Writer& writer) : reader_(&reader), writer_(&writer) {}
  asio::awaitable<Result<std::optional<LoginSession>>> find(std::string hash);
  // At most `most` of a key are kept: the oldest end.
  asio::awaitable<Result<void>> insert(LoginSession session, std::int64_t most);
  asio::awaitable<Result<void>> remove(std::string hash);
  asio::awaitable<Result<void>> purge(WallMs expired_before);

 private:
  db::Connection* reader_;
  db::Writer* writer_;
};

}  // namespace sebring::store
