#pragma once
// What the proxy and the SSH gateway ask of the control plane. Implemented there; a fake stands in for it in tests.
// Every answer is as of now: revoking a key or stopping a sandbox acts on the next call.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "net/http.h"

namespace sebring::proxy {

namespace asio = boost::asio;

struct Sandbox {
  std::string id;
  std::string state;           // as on the wire: "started", "stopped", ...
  bool started = false;        // requests can be served
  std::string toolbox_socket;  // path of the toolbox's Unix socket; only while started
  bool is_public = false;
  bool warning_page = false;  // browsers see the preview warning first
  // It was just started because somebody came: what they want may need this long still to begin to listen.
  std::chrono::milliseconds patience{0};
};

// By which credential somebody came in, in a form that can be kept in a cookie or a session and checked again: names
// the credential (row id, hash) without being it. At most 128 characters of [A-Za-z0-9._:-].
struct Grant {
  enum class Kind : char {
    none = '-',  // public sandbox
    key = 'k',
    user = 'u',
    preview_token = 'p',
    signed_token = 's',
    file_signature = 'f',
    ssh_token = 'h',
  };
  Kind kind = Kind::none;
  std::string reference;
};

// What a sandbox may take, and what it takes of its disk.
struct Resources {
  double cpus = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t disk_used_bytes = 0;
};

struct TokenUse {
  std::string sandbox_id;
  Grant grant;
  WallMs expires_at = 0;  // 0: never
};

class Access {
 public:
  virtual ~Access() = default;

  // Errc::not_found for unknown and destroyed ones. May wait, bounded, for one that is starting.
  virtual asio::awaitable<Result<Sandbox>> find(std::string sandbox_id) = 0;
  // The same where nothing has to be waited for, as nearly always; nullopt: find() has to be asked.
  virtual std::optional<Result<Sandbox>> find_now(const std::string& sandbox_id) = 0;
  // By what a request to a sandbox that is started and has no warning page comes in, where nothing has to be waited
  // for. `ask`: perhaps it does not, or by something else; the functions below tell. `bearer` and `preview_token`: what
  // it shows, or empty; a bearer that is none of ours is not shown.
  enum class Entry { ask, open, by_bearer, by_preview_token };
  virtual Entry entry_now(const std::string& sandbox_id, std::string_view bearer, std::string_view preview_token) = 0;

  // API key or JWT of somebody who may use this sandbox. Errc::unauthorized: the token means nothing to this platform
  // (it may be the application's own); Errc::not_found: it is one of ours, but there is no such sandbox for it.
  virtual asio::awaitable<Result<Grant>> authorize_bearer(std::string sandbox_id, std::string token,
                                                          std::string organization_id) = 0;
  // The token of the sandbox's current run (X-Daytona-Preview-Token). Errc::unauthorized when it is another.
  virtual asio::awaitable<Result<Grant>> authorize_preview_token(std::string sandbox_id, std::string token) = 0;
  // The 16 characters of a signed preview URL, bound to `port`. Errc::unauthorized: unknown, expired or revoked.
  virtual asio::awaitable<Result<TokenUse>> resolve_signed_token(std::string token, std::uint16_t port) = 0;
  // The user name of an SSH connection. Errc::unauthorized: unknown, expired or revoked.
  virtual asio::awaitable<Result<TokenUse>> authorize_ssh(std::string token) = 0;
  // A visitor's login at the platform's own host (dashboard session), who may use this sandbox. Errc::unauthorized:
  // not logged in; Errc::not_found as above. `head` is the request on the platform's host.
  virtual asio::awaitable<Result<Grant>> authorize_session(std::string sandbox_id, net::RequestHead head) = 0;
  // Whether the grant still stands for this sandbox. Errc::unauthorized when not, tagged "expired" when only its time
  // is over.
  virtual asio::awaitable<Result<void>> recheck(std::string sandbox_id, Grant grant) = 0;

  // Key of the sandbox's signed file URLs. Errc::not_found when there is none.
  virtual asio::awaitable<Result<std::string>> file_signing_key(std::string sandbox_id) = 0;

  // As of now; asks the runner. Only while it is started.
  virtual asio::awaitable<Result<Resources>> resources(std::string sandbox_id) = 0;

  // Starts a stopped or paused sandbox because a visitor came, where that is wanted; completes when it is started.
  // Errc::conflict when it is not wanted or not possible in its state.
  virtual asio::awaitable<Result<Sandbox>> wake(std::string sandbox_id) = 0;

  // Somebody uses the sandbox. Cheap, never waits; called at most about once a second for a sandbox.
  virtual void touch_activity(const std::string& sandbox_id) = 0;
};

}  // namespace sebring::proxy
