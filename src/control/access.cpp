#include "control/access.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/random.h"
#include "base/text.h"
#include "control/archive_job.h"
#include "control/authenticate.h"
#include "control/control.h"
#include "control/login.h"
#include "control/sandbox_change.h"
#include "control/sandbox_use_cases.h"

namespace sebring::control {
namespace {

using model::AccessToken;
using model::SandboxState;

std::unexpected<Error> invalid_token() { return fail(Errc::unauthorized, "Invalid or expired token"); }

// Whose state will soon be another one without anybody asking again.
bool is_coming_up(SandboxState state) {
  return state == SandboxState::creating || state == SandboxState::starting || state == SandboxState::resuming ||
         state == SandboxState::resizing || state == SandboxState::forking || state == SandboxState::snapshotting;
}

// After a restart of this process rows are read before the runner has told where its sandboxes listen.
bool has_unknown_place(const LiveSandbox& live) { return live.state == SandboxState::started && live.socket.empty(); }
constexpr std::chrono::seconds kPlaceTime{10};
constexpr std::chrono::milliseconds kPlaceLook{5};

bool wakes(const ControlConfig& config, const LiveSandbox& live) {
  switch (live.state) {
    case SandboxState::paused:
    case SandboxState::pausing:
      return live.wakes.value_or(live.intervals.pause > 0);
    case SandboxState::stopped:
    case SandboxState::stopping:
      return live.wakes.value_or(config.wake_stopped) && live.intervals.destroy != 0;
    default:
      return false;
  }
}

Reach reach_of(const Control& control, const std::string& id, const LiveSandbox& live) {
  const bool started = live.state == SandboxState::started;
  return {.id = id,
          .organization_id = live.organization_id,
          .state = live.state,
          .socket = started ? live.socket : "",
          .is_public = live.is_public,
          .has_warning = control.config.preview_warning,
          .wakes = wakes(control.config, live)};
}

// A program that begins with its sandbox is not there at once; one that does not begin is not waited for longer.
constexpr std::int64_t kBeginMs = 10'000;

// A link is bound to its port: the same text for another port is another token.
std::string preview_hash(const std::string& token, std::uint16_t port) {
  return sha256_hex(std::to_string(port) + "/" + token);
}

// Live links of one sandbox. They go with it, and must not take the writer for long.
constexpr std::int64_t kLinksMax = 1'000;
constexpr std::string_view kLinkAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kSshAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

}  // namespace

// From memory: this stands before every request to a sandbox.
asio::awaitable<Result<Reach>> AccessControl::find(std::string sandbox_id) {
  if (auto known = find_now(sandbox_id)) co_return *std::move(known);
  const std::string organization = control_->live.find(sandbox_id)->organization_id;
  SB_CO_CHECK(co_await wait_for_rest(*control_, organization, sandbox_id));
  const auto until = std::chrono::steady_clock::now() + kPlaceTime;
  for (;;) {
    const auto* live = control_->live.find(sandbox_id);
    if (live == nullptr) co_return fail(sandbox_not_found(sandbox_id));
    if (!has_unknown_place(*live)) co_return reach(sandbox_id, *live);
    if (std::chrono::steady_clock::now() > until || control_->tasks.stopping())
      co_return fail(Errc::unavailable, "The runner has not told yet where the sandbox is. Try again in a moment.");
    asio::steady_timer timer(control_->executor, kPlaceLook);
    (void)co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

std::optional<Result<Reach>> AccessControl::find_now(const std::string& sandbox_id) const {
  const auto* live = control_->live.find(sandbox_id);
  if (live == nullptr) return fail(sandbox_not_found(sandbox_id));
  if (is_coming_up(live->state) || has_unknown_place(*live)) return std::nullopt;
  return reach(sandbox_id, *live);
}

const LiveSandbox* AccessControl::find_plain(const std::string& sandbox_id) const {
  const auto* live = control_->live.find(sandbox_id);
  const bool plain = live != nullptr && live->state == SandboxState::started && !live->socket.empty();
  return plain && !control_->config.preview_warning ? live : nullptr;
}

bool AccessControl::is_open_now(const std::string& sandbox_id) const {
  const auto* live = find_plain(sandbox_id);
  return live != nullptr && live->is_public;
}

bool AccessControl::admits_key_now(const std::string& sandbox_id, std::string_view token) const {
  const auto* live = find_plain(sandbox_id);
  return live != nullptr && authenticator_->organization_now(token) == live->organization_id;
}

bool AccessControl::admits_run_token_now(const std::string& sandbox_id, std::string_view token) const {
  const auto* live = find_plain(sandbox_id);
  return live != nullptr && !live->run_token.empty() && constant_time_equal(live->run_token, token);
}

Reach AccessControl::reach(const std::string& sandbox_id, const LiveSandbox& live) const {
  Reach reach = reach_of(*control_, sandbox_id, live);
  reach.patience_ms = patience_with(sandbox_id);
  return reach;
}

// The start belongs to nobody: whoever asked first may go away, and the others still want it.
struct AccessControl::Waking {
  explicit Waking(const asio::any_io_executor& executor) : over(executor) {
    over.expires_at(std::chrono::steady_clock::time_point::max());
  }
  asio::steady_timer over;
  std::optional<Result<void>> outcome;
  bool ended = false;
};

asio::awaitable<void> AccessControl::run_waking(Control& control, std::string organization_id, std::string sandbox_id,
                                                std::shared_ptr<Wakings> wakings, std::shared_ptr<Woken> woken) {
  // However this ends: who comes next starts anew, and nobody waits for ever.
  struct End {
    std::shared_ptr<Wakings> wakings;
    std::string id;
    std::shared_ptr<Waking> waking;
    ~End() {
      wakings->erase(id);
      waking->ended = true;
      waking->over.cancel();
    }
  };
  const End end{wakings, sandbox_id, (*wakings)[sandbox_id]};
  const auto* live = control.live.find(sandbox_id);
  const bool anew = live != nullptr && live->state != SandboxState::paused && live->state != SandboxState::pausing;
  auto started = co_await start_sandbox(control, std::move(organization_id), std::move(sandbox_id), StartedBy::use);
  if (started && anew) {
    std::erase_if(*woken, [&](const auto& one) { return one.second + kBeginMs <= control.service.now(); });
    (*woken)[end.id] = control.service.now();
  }
  end.waking->outcome.emplace(started ? Result<void>{} : std::unexpected(std::move(started).error()));
}

std::int64_t AccessControl::patience_with(const std::string& sandbox_id) const {
  auto found = woken_->find(sandbox_id);
  return found == woken_->end() ? 0 : std::max<std::int64_t>(0, found->second + kBeginMs - control_->service.now());
}

asio::awaitable<Result<Reach>> AccessControl::wake(std::string sandbox_id) {
  auto* live = control_->live.find(sandbox_id);
  if (live == nullptr) co_return fail(sandbox_not_found(sandbox_id));
  auto found = wakings_->find(sandbox_id);
  auto waking = found == wakings_->end() ? nullptr : found->second;
  if (!waking) {
    if (live->state == SandboxState::started) co_return co_await find(sandbox_id);  // somebody else's has just ended
    if (!wakes(control_->config, *live)) {
      co_return fail(Errc::conflict,
                     "Sandbox is not started (state: " + std::string(model::to_text(live->state)) + ")");
    }
    waking = std::make_shared<Waking>(control_->executor);
    wakings_->emplace(sandbox_id, waking);
    control_->tasks.spawn("wake sandbox", run_waking(*control_, live->organization_id, sandbox_id, wakings_, woken_));
  }
  if (!waking->ended) co_await waking->over.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!waking->outcome) co_return fail(Errc::unavailable, "The server is stopping");
  SB_CO_CHECK(*waking->outcome);
  co_return co_await find(sandbox_id);
}

asio::awaitable<Result<std::string>> AccessControl::authorize_key(std::string sandbox_id, std::string token) {
  SB_CO_TRY(auto caller, co_await authenticator_->authenticate(token));
  auto* live = control_->live.find(sandbox_id);
  if (live == nullptr || live->organization_id != caller.organization_id) co_return fail(sandbox_not_found(sandbox_id));
  co_return caller.key_hash;
}

asio::awaitable<Result<void>> AccessControl::recheck_key(std::string sandbox_id, std::string hash) {
  SB_CO_TRY(auto caller, co_await authenticator_->authenticate_hash(hash));
  auto* live = control_->live.find(sandbox_id);
  if (live == nullptr || live->organization_id != caller.organization_id) co_return invalid_token();
  co_return Result<void>{};
}

asio::awaitable<Result<void>> AccessControl::authorize_login(std::string sandbox_id, std::string session_hash) {
  SB_CO_TRY(auto caller, co_await find_login(*control_, *authenticator_, std::move(session_hash)));
  auto* live = control_->live.find(sandbox_id);
  if (live == nullptr || live->organization_id != caller.organization_id) co_return fail(sandbox_not_found(sandbox_id));
  co_return Result<void>{};
}

asio::awaitable<Result<std::string>> AccessControl::authorize_run_token(std::string sandbox_id, std::string token) {
  std::string hash = sha256_hex(token);
  SB_CO_CHECK(co_await recheck_run_token(sandbox_id, hash));
  co_return hash;
}

asio::awaitable<Result<void>> AccessControl::recheck_run_token(std::string sandbox_id, std::string hash) {
  const auto* live = control_->live.find(sandbox_id);
  if (live == nullptr || live->run_token.empty()) co_return invalid_token();
  if (!constant_time_equal(sha256_hex(live->run_token), hash)) co_return invalid_token();
  co_return Result<void>{};
}

asio::awaitable<Result<TokenUse>> AccessControl::use(AccessToken::Kind kind, std::string hash) {
  SB_CO_TRY(auto found, co_await control_->store.access_tokens.find(kind, hash));
  if (!found || found->expires_at <= control_->clock.wall_ms()) co_return invalid_token();
  if (control_->live.find(found->sandbox_id) == nullptr) co_return invalid_token();
  co_return TokenUse{found->sandbox_id, hash, found->expires_at};
}

asio::awaitable<Result<TokenUse>> AccessControl::use_preview_link(std::string token, std::uint16_t port) {
  co_return co_await use(AccessToken::Kind::preview, preview_hash(token, port));
}

asio::awaitable<Result<TokenUse>> AccessControl::use_ssh_token(std::string token) {
  co_return co_await use(AccessToken::Kind::ssh, sha256_hex(token));
}

asio::awaitable<Result<void>> AccessControl::recheck_token(AccessToken::Kind kind, std::string sandbox_id,
                                                           std::string hash) {
  SB_CO_TRY(const auto found, co_await control_->store.access_tokens.find(kind, hash));
  if (!found || found->sandbox_id != sandbox_id || control_->live.find(sandbox_id) == nullptr)
    co_return invalid_token();
  if (found->expires_at <= control_->clock.wall_ms())
    co_return fail(Errc::unauthorized, "Invalid or expired token", "expired");
  co_return Result<void>{};
}

asio::awaitable<Result<NewToken>> AccessControl::make_preview_link(std::string sandbox_id, std::uint16_t port,
                                                                   std::int64_t seconds) {
  NewToken made;
  made.text = random_text(16, kLinkAlphabet);
  const WallMs now = control_->clock.wall_ms();
  made.token = {random_uuid(), AccessToken::Kind::preview, preview_hash(made.text, port), sandbox_id, port,
                now,           now + seconds * 1000};
  auto inserted = co_await control_->store.access_tokens.insert(made.token, kLinksMax);
  if (!inserted && inserted.error().code() == Errc::exhausted) {
    co_return fail(Errc::exhausted, "The sandbox has " + std::to_string(kLinksMax) +
                                        " signed preview URLs that have not expired. Expire some, or ask for shorter "
                                        "ones.");
  }
  SB_CO_CHECK(std::move(inserted));
  co_return made;
}

asio::awaitable<Result<NewToken>> AccessControl::make_ssh_token(std::string sandbox_id, std::int64_t minutes) {
  NewToken made;
  made.text = random_text(32, kSshAlphabet);
  const WallMs now = control_->clock.wall_ms();
  made.token = {random_uuid(), AccessToken::Kind::ssh,          sha256_hex(made.text), sandbox_id, 0,
                now,           now + minutes * model::kMinuteMs};
  SB_CO_CHECK(co_await control_->store.access_tokens.insert(made.token, 0));
  co_return made;
}

asio::awaitable<Result<void>> AccessControl::end_preview_link(std::string sandbox_id, std::string token,
                                                              std::uint16_t port) {
  SB_CO_TRY(auto removed, co_await control_->store.access_tokens.remove(AccessToken::Kind::preview, sandbox_id,
                                                                        preview_hash(token, port)));
  if (removed == 0) co_return fail(Errc::not_found, "Invalid or expired token");
  co_return Result<void>{};
}

asio::awaitable<Result<void>> AccessControl::end_ssh_tokens(std::string sandbox_id, std::string token) {
  std::optional<std::string> hash;
  if (!token.empty()) hash = sha256_hex(token);
  SB_CO_CHECK(co_await control_->store.access_tokens.remove(AccessToken::Kind::ssh, sandbox_id, hash));
  co_return Result<void>{};
}

asio::awaitable<Result<std::string>> AccessControl::signing_key(std::string sandbox_id) {
  SB_CO_TRY(auto row, co_await control_->store.sandboxes.find(sandbox_id));
  if (!row || row->state == SandboxState::destroyed) co_return fail(sandbox_not_found(sandbox_id));
  co_return row->signing_key;
}

asio::awaitable<Result<ReachResources>> AccessControl::resources(std::string sandbox_id) {
  SB_CO_TRY(const auto usage, co_await control_->runner.usage(sandbox_id));
  const auto* live = control_->live.find(sandbox_id);
  if (live == nullptr) co_return fail(sandbox_not_found(sandbox_id));
  co_return ReachResources{.cpus = static_cast<double>(live->used.cpu),
                           .disk_bytes = static_cast<std::uint64_t>(live->used.disk_gib * model::kGiB),
                           .disk_used_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, usage.disk_bytes))};
}

void AccessControl::touch_activity(const std::string& sandbox_id) {
  auto* live = control_->live.find(sandbox_id);
  if (live == nullptr) return;
  live->active = control_->service.now();
  live->active_at = control_->clock.wall_ms();
  live->activity_unsaved = true;
  live->warned = false;
}

ActivityHold AccessControl::hold_activity(const std::string& sandbox_id) {
  auto* live = control_->live.find(sandbox_id);
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
