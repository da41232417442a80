#pragma once
// Who may reach a sandbox from outside the API, by which credential, and where it is: what the proxy and the SSH
// gateway need to know (api/proxy_access.h speaks to them). Nothing is remembered of an earlier answer: revoking a key
// or a token acts on the next call.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "model/access_token.h"
#include "model/sandbox.h"

namespace sebring::control {

namespace asio = boost::asio;
struct Control;
struct LiveSandbox;
class Authenticator;

// A sandbox as somebody outside meets it.
struct Reach {
  std::string id;
  std::string organization_id;
  model::SandboxState state = model::SandboxState::unknown;
  std::string socket;  // of its toolbox; empty unless it can be reached now
  bool is_public = false;
  bool has_warning = false;      // before its previews
  bool wakes = false;            // stopped or paused, to be started by use
  std::int64_t patience_ms = 0;  // use has just started it: its programs may need this long still to begin to serve
};

// What a token of one sandbox lets in.
struct TokenUse {
  std::string sandbox_id;
  std::string hash;  // names the token without being it
  WallMs expires_at = 0;
};

// What a sandbox may take, and what it takes of its disk.
struct ReachResources {
  double cpus = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t disk_used_bytes = 0;
};

// A new token; its plain text is given this once.
struct NewToken {
  std::string text;
  model::AccessToken token;
};

// While one of these lives its sandbox counts as in use and is not stopped for idleness. Cheap; movable.
class ActivityHold {
 public:
  ActivityHold() = default;
  explicit ActivityHold(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}

 private:
  std::shared_ptr<void> hold_;
};

class AccessControl {
 public:
  // Before attach() it may be passed around, not asked.
  AccessControl() = default;
  AccessControl(Control& control, Authenticator& authenticator) { attach(control, authenticator); }
  void attach(Control& control, Authenticator& authenticator) {
    control_ = &control;
    authenticator_ = &authenticator;
  }

  // Errc::not_found for unknown and destroyed ones. Waits, bounded, while it is starting, and while nobody has told yet
  // where one that runs can be reached (Errc::unavailable then).
  asio::awaitable<Result<Reach>> find(std::string sandbox_id);
  // The same where nothing has to be waited for; nullopt: find() has to be asked.
  std::optional<Result<Reach>> find_now(const std::string& sandbox_id) const;
  // Whether find_now() would give one that is public, has a socket and no warning.
  bool is_open_now(const std::string& sandbox_id) const;
  // Whether find_now() would give one that has a socket and no warning, and authorize_key() or authorize_run_token()
  // would agree, where nothing has to be waited for.
  bool admits_key_now(const std::string& sandbox_id, std::string_view token) const;
  bool admits_run_token_now(const std::string& sandbox_id, std::string_view token) const;
  // Starts one that is to be started by use; any number of callers cause one start. Errc::conflict for all others.
  asio::awaitable<Result<Reach>> wake(std::string sandbox_id);

  // The hash of the API key. Errc::unauthorized: no key; Errc::not_found: not a sandbox of its organization.
  asio::awaitable<Result<std::string>> authorize_key(std::string sandbox_id, std::string token);
  asio::awaitable<Result<void>> recheck_key(std::string sandbox_id, std::string hash);
  // A browser's login, by the hash of its session. Errc::unauthorized: not logged in; Errc::not_found: as above.
  asio::awaitable<Result<void>> authorize_login(std::string sandbox_id, std::string session_hash);
  // The token of the sandbox's present run; its hash. Errc::unauthorized when it is another.
  asio::awaitable<Result<std::string>> authorize_run_token(std::string sandbox_id, std::string token);
  asio::awaitable<Result<void>> recheck_run_token(std::string sandbox_id, std::string hash);

  // Signed links and SSH logins. Errc::unauthorized "Invalid or expired token"; from recheck_token() tagged "expired"
  // when only its time is over.
  asio::awaitable<Result<TokenUse>> use_preview_link(std::string token, std::uint16_t port);
  asio::awaitable<Result<TokenUse>> use_ssh_token(std::string token);
  asio::awaitable<Result<void>> recheck_token(model::AccessToken::Kind kind, std::string sandbox_id, std::string hash);

  // Made for a sandbox that the caller may use. A new SSH token ends the earlier ones.
  asio::awaitable<Result<NewToken>> make_preview_link(std::string sandbox_id, std::uint16_t port, std::int64_t seconds);
  asio::awaitable<Result<NewToken>> make_ssh_token(std::string sandbox_id, std::int64_t minutes);
  // Errc::not_found when there is none of that text.
  asio::awaitable<Result<void>> end_preview_link(std::string sandbox_id, std::string token, std::uint16_t port);
  // All of the sandbox's when `token` is empty.
  asio::awaitable<Result<void>> end_ssh_tokens(std::string sandbox_id, std::string token);

  asio::awaitable<Result<std::string>> signing_key(std::string sandbox_id);

  // Of a sandbox that runs.
  asio::awaitable<Result<ReachResources>> resources(std::string sandbox_id);

  // Somebody used the sandbox now. Memory only, written behind.
  void touch_activity(const std::string& sandbox_id);
  // For as long as a request, WebSocket or SSH session lasts.
  ActivityHold hold_activity(const std::string& sandbox_id);

 private:
  asio::awaitable<Result<TokenUse>> use(model::AccessToken::Kind kind, std::string hash);
  struct Waking;
  using Wakings = std::unordered_map<std::string, std::shared_ptr<Waking>>;
  using Woken = std::unordered_map<std::string, model::ServiceMs>;  // when use started which; for some seconds
  static asio::awaitable<void> run_waking(Control& control, std::string organization_id, std::string sandbox_id,
                                          std::shared_ptr<Wakings> wakings, std::shared_ptr<Woken> woken);
  std::shared_ptr<Wakings> wakings_ = std::make_shared<Wakings>();
  std::shared_ptr<Woken> woken_ = std::make_shared<Woken>();
  Reach reach(const std::string& sandbox_id, const LiveSandbox& live) const;
  // One that runs and whose previews need nothing but an entry; else nullptr.
  const LiveSandbox* find_plain(const std::string& sandbox_id) const;
  std::int64_t patience_with(const std::string& sandbox_id) const;
  Control* control_ = nullptr;
  Authenticator* authenticator_ = nullptr;
};

}  // namespace sebring::control
