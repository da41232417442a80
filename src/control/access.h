#pragma once
// Who may reach a sandbox, and where it is: what the proxy and the SSH gateway ask.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/sandbox.h"

namespace sebring::control {

namespace asio = boost::asio;
struct Control;
class Authenticator;

// What a request carried; empty where it carried nothing. A present but wrong credential falls through to the next.
struct Credentials {
  std::string bearer;         // of Authorization: Bearer
  std::string preview_token;  // X-Daytona-Preview-Token, or query DAYTONA_SANDBOX_AUTH_KEY
  std::string cookie;         // value of the preview cookie, already checked for its signature: the sandbox's id
};

struct ToolboxTarget {
  std::string sandbox_id;
  std::string organization_id;
  std::string socket_path;  // Unix socket of the toolbox; valid until the sandbox stops
};

struct PreviewTarget {
  std::string sandbox_id;
  std::string organization_id;
  std::uint16_t port = 0;
  bool by_signed_link = false;
  bool is_public = false;
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
  AccessControl(Control& control, Authenticator& authenticator);

  // For /toolbox/{sandbox}/...: `sandbox` is an id or a name. Errors carry the texts of the toolbox wire without their
  // prefix: Errc::unauthorized ("authentication failed: ..." or "missing authentication: ..."), Errc::not_found for what
  // is not there or not the caller's, Errc::invalid_argument when it does not run (with its state), Errc::unavailable
  // when its runner does not answer. Waits, bounded, while it is starting; wakes one that was paused for idleness.
  // The credential is checked at each call, nothing is remembered of an earlier one.
  asio::awaitable<Result<ToolboxTarget>> authorize_toolbox(Credentials credentials, std::string sandbox);

  // For a preview host "<port>-<label>.<domain>": `label` is a sandbox's id or a signed token. Errc::unauthorized when a
  // credential is needed and none fits. Ports 22222, 2280 and 33333 need one even of a public sandbox.
  asio::awaitable<Result<PreviewTarget>> authorize_preview(Credentials credentials, std::string label,
                                                           std::uint16_t port);

  // Somebody used the sandbox now. Memory only, written behind; call at the start of each request unless the client
  // sent X-Daytona-Skip-Last-Activity-Update.
  void touch_activity(const std::string& sandbox_id);
  // For as long as a request, WebSocket or SSH session lasts.
  ActivityHold hold_activity(const std::string& sandbox_id);

 private:
  Control& control_;
  Authenticator& authenticator_;
};

}  // namespace sebring::control
