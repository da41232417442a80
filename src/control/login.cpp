#include "control/login.h"

#include "base/random.h"

namespace sebring::control {
namespace {

constexpr std::size_t kLoginBytes = 32;
// Browsers of one person; a script that logs in again and again does not fill the table.
constexpr std::int64_t kLoginsPerKeyMax = 100;

}  // namespace

asio::awaitable<Result<NewLogin>> begin_login(Control& control, Authenticator& authenticator, std::string api_key) {
  SB_CO_TRY(Caller caller, co_await authenticator.authenticate(std::move(api_key)));
  NewLogin made{random_hex(kLoginBytes), std::move(caller)};
  const WallMs now = control.clock.wall_ms();
  store::LoginSession session{sha256_hex(made.text), made.caller.key_hash, now, now + kLoginSeconds * 1000};
  SB_CO_CHECK(co_await control.store.logins.insert(std::move(session), kLoginsPerKeyMax));
  co_return made;
}

asio::awaitable<Result<Caller>> find_login(Control& control, Authenticator& authenticator, std::string hash) {
  SB_CO_TRY(auto found, co_await control.store.logins.find(std::move(hash)));
  if (!found || found->expires_at <= control.clock.wall_ms()) co_return fail(Errc::unauthorized, "not logged in");
  co_return co_await authenticator.authenticate_hash(found->key_hash);
}

asio::awaitable<Result<void>> end_login(Control& control, std::string hash) {
  co_return co_await control.store.logins.remove(std::move(hash));
}

}  // namespace sebring::control
