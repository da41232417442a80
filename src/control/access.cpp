#include "control/access.h"

#include "base/text.h"
#include "control/archive_job.h"
#include "control/authenticate.h"
#include "control/control.h"
#include "control/sandbox_use_cases.h"

namespace sebring::control {
namespace {

using model::SandboxState;

// The web terminal, the toolbox and the recordings give control of the sandbox: public or not, a credential is needed.
bool is_guarded_port(std::uint16_t port) { return port == 22222 || port == 2280 || port == 33333; }

std::unexpected<Error> missing() {
  return fail(Errc::unauthorized,
              "missing authentication: provide a preview access token (via header, query parameter, or cookie) or use "
              "an API key or JWT");
}

std::unexpected<Error> failed() { return fail(Errc::unauthorized, "authentication failed: invalid credentials"); }

std::unexpected<Error> not_running(SandboxState state) {
  return fail(Errc::invalid_argument, "Sandbox is not started (state: " + std::string(model::to_text(state)) +
                                          "). Please start the sandbox before using it.");
}

// Whose state will soon be another one without anybody asking again.
bool is_coming_up(SandboxState state) {
  return state == SandboxState::creating || state == SandboxState::starting || state == SandboxState::resuming ||
         state == SandboxState::resizing || state == SandboxState::forking || state == SandboxState::snapshotting;
}

// The sandbox whose token this is; any organization's.
asio::awaitable<Result<std::optional<Sandbox>>> by_preview_token(Control& control, std::string id,
                                                                 const std::string& token) {
  if (token.empty()) co_return std::nullopt;
  SB_CO_TRY(auto found, co_await control.store.sandboxes.find(to_lower(id)));
  if (!found || found->state == SandboxState::destroyed || found->auth_token.empty()) co_return std::nullopt;
  if (!constant_time_equal(found->auth_token, token)) co_return std::nullopt;
  co_return found;
}

}  // namespace

AccessControl::AccessControl(Control& control, Authenticator& authenticator)
    : control_(control), authenticator_(authenticator) {}

asio::awaitable<Result<ToolboxTarget>> AccessControl::authorize_toolbox(Credentials credentials, std::string sandbox) {
  if (credentials.bearer.empty() && credentials.preview_token.empty() && credentials.cookie.empty()) {
    co_return missing();
  }
  std::optional<Sandbox> row;
  if (!credentials.bearer.empty()) {
    auto caller = co_await authenticator_.authenticate(credentials.bearer);
    if (!caller && caller.error().code() != Errc::unauthorized) co_return fail(caller.error());
    if (caller) {
      SB_CO_TRY(row, co_await control_.store.sandboxes.find(caller->organization_id, sandbox));
      if (!row) co_return fail(Errc::not_found, "Sandbox with ID or name " + sandbox + " not found");
    }
  }
  if (!row) {
    SB_CO_TRY(row, co_await by_preview_token(control_, sandbox, credentials.preview_token));
  }
  if (!row && !credentials.cookie.empty() && equals_ignore_case(credentials.cookie, sandbox)) {
    SB_CO_TRY(row, co_await control_.store.sandboxes.find(to_lower(sandbox)));
  }
  if (!row) co_return failed();

  if (row->visible() == SandboxState::paused && row->intervals.pause > 0) {
    // It was paused because nobody used it; somebody does.
    SB_CO_TRY(row, co_await start_sandbox(control_, row->organization_id, row->id));
  } else if (is_coming_up(row->visible())) {
    SB_CO_TRY(row, co_await wait_for_rest(control_, row->organization_id, row->id));
  }
  if (row->visible() != SandboxState::started) co_return not_running(row->visible());
  auto* live = control_.live.find(row->id);
  if (live == nullptr || live->socket.empty()) {
    co_return fail(Errc::unavailable, "The sandbox's runner does not answer. Please try again later.");
  }
  co_return ToolboxTarget{row->id, row->organization_id, live->socket};
}

asio::awaitable<Result<PreviewTarget>> AccessControl::authorize_preview(Credentials credentials, std::string label,
                                                                        std::uint16_t port) {
  SB_CO_TRY(auto row, co_await control_.store.sandboxes.find(to_lower(label)));
  const bool there = row && row->state != SandboxState::destroyed;
  if (there && row->is_public && !is_guarded_port(port)) {
    co_return PreviewTarget{row->id, row->organization_id, port, false, true};
  }
  if (there && !credentials.bearer.empty()) {
    auto caller = co_await authenticator_.authenticate(credentials.bearer);
    if (caller && caller->organization_id == row->organization_id) {
      co_return PreviewTarget{row->id, row->organization_id, port, false, row->is_public};
    }
  }
  if (there && !credentials.preview_token.empty() && constant_time_equal(row->auth_token, credentials.preview_token)) {
    co_return PreviewTarget{row->id, row->organization_id, port, false, row->is_public};
  }
  if (there && equals_ignore_case(credentials.cookie, row->id)) {
    co_return PreviewTarget{row->id, row->organization_id, port, false, row->is_public};
  }
  // A host name that is no sandbox answers as one that is not the visitor's.
  if (credentials.bearer.empty() && credentials.preview_token.empty() && credentials.cookie.empty()) {
    co_return missing();
  }
  co_return failed();
}

void AccessControl::touch_activity(const std::string& sandbox_id) {
  auto* live = control_.live.find(sandbox_id);
  if (live == nullptr) return;
  live->active = control_.service.now();
  live->active_at = control_.clock.wall_ms();
  live->activity_unsaved = true;
  live->warned = false;
}

ActivityHold AccessControl::hold_activity(const std::string& sandbox_id) {
  auto* live = control_.live.find(sandbox_id);
  if (live == nullptr) return {};
  touch_activity(sandbox_id);
  ++*live->holds;
  // The counter outlives the entry, and the end of a hold is a use of the sandbox too.
  std::shared_ptr<int> counter = live->holds;
  return ActivityHold(std::shared_ptr<void>(nullptr, [this, counter, sandbox_id](void*) {
    --*counter;
    touch_activity(sandbox_id);
  }));
}

}  // namespace sebring::control
