#pragma once
// From a token to who asks. Keys are looked up by their SHA-256; what was found is remembered until the key changes,
// which takes effect on the very next request.
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "control/control.h"
#include "model/api_key.h"

namespace sebring::control {

struct Caller {
  std::string organization_id;
  std::string user_id;
  std::string key_name;
  std::string key_hash;  // names the key without being it
  model::Permissions permissions;
};

class Authenticator {
 public:
  explicit Authenticator(Control& control) : control_(control) {}
  // Errc::unauthorized "Invalid credentials" for everything that is no valid key, whatever the reason.
  asio::awaitable<Result<Caller>> authenticate(std::string token);
  // The same for somebody who came in with it earlier.
  asio::awaitable<Result<Caller>> authenticate_hash(std::string hash);
  // The organization of a key that is remembered and stands, which is then used; else nothing, and authenticate()
  // tells.
  std::optional<std::string_view> organization_now(std::string_view token);
  // Forgets what was remembered of keys. To be called when any is deleted or changed.
  void forget() {
    known_.clear();
    if (on_forget) on_forget();
  }
  // Whoever was let in by a key has to be looked at again. May be null.
  std::function<void()> on_forget;

 private:
  // Whether it stands, as of now; noted as used.
  bool use(model::ApiKey& key);

  Control& control_;
  std::unordered_map<std::string, model::ApiKey> known_;  // by hash
};

// Lower-case hex.
std::string sha256_hex(std::string_view text);

}  // namespace sebring::control
