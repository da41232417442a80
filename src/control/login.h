#pragma once
// Logins of browsers: who shows an API key once gets a session, whose text lives in a cookie and whose hash is kept.
// It is worth what the key is worth at that moment, and nothing once the key is deleted or has expired.
#include "control/authenticate.h"

namespace sebring::control {

constexpr std::int64_t kLoginSeconds = 12 * 3600;

struct NewLogin {
  std::string text;  // 64 hex characters; given this once
  Caller caller;
};

// Errc::unauthorized when it is no valid key.
asio::awaitable<Result<NewLogin>> begin_login(Control&, Authenticator&, std::string api_key);
// Errc::unauthorized: none, over, or its key is gone. `hash`: of the session's text.
asio::awaitable<Result<Caller>> find_login(Control&, Authenticator&, std::string hash);
asio::awaitable<Result<void>> end_login(Control&, std::string hash);

}  // namespace sebring::control
