#include "proxy/live.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

namespace sebring::proxy {
namespace {
constexpr std::chrono::seconds kCheckEvery{5};

// So many are checked in a row before others have their turn.
constexpr std::size_t kInARow = 64;
// The runner tells of a sandbox that has ended some milliseconds after its connections broke.
constexpr std::chrono::milliseconds kLostTime{300}, kLostLook{10};

// What is paused goes on where it was, its connections too. What is being stopped may still say its last words: its
// connections end with its processes.
bool keeps_connections(const Sandbox& sandbox) {
  return sandbox.started || sandbox.state == "pausing" || sandbox.state == "paused" || sandbox.state == "resuming" ||
         sandbox.state == "stopping";
}

bool is_unknown(const Result<Sandbox>& sandbox) { return !sandbox && sandbox.error().code() == Errc::not_found; }

Over over_for_state(const Result<Sandbox>& sandbox) {
  if (!sandbox || sandbox->state == "destroying" || sandbox->state == "destroyed")
    return {Over::Cause::sandbox, Error(Errc::unavailable, "the sandbox was deleted")};
  const std::string state = sandbox->state == "error" ? " (state: error)" : "";
  return {Over::Cause::sandbox, Error(Errc::unavailable, "the sandbox has stopped" + state)};
}

Over over_for_credential() {
  return {Over::Cause::credential, Error(Errc::unauthorized, "the credential was revoked meanwhile")};
}

Over over_for_expiry() {
  return {Over::Cause::expiry, Error(Errc::unauthorized, "the credential has expired meanwhile")};
}
}  // namespace

struct LiveUses::Entry::State {
  State(asio::any_io_executor the_executor, Access& the_access)
      : executor(the_executor), access(&the_access), timer(the_executor) {}

  struct One {
    std::string sandbox_id;
    Grant grant;
    std::function<void(const Over&)> end;
  };
  asio::any_io_executor executor;
  Access* access;
  asio::steady_timer timer;
  bool ticking = false;
  std::uint64_t next = 1;
  std::map<std::uint64_t, One> uses;

  static asio::awaitable<void> check(std::shared_ptr<State> self, std::string only_sandbox) {
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, one] : self->uses) {
      if (only_sandbox.empty() || one.sandbox_id == only_sandbox) numbers.push_back(number);
    }
    std::size_t in_a_row = 0;
    for (std::uint64_t number : numbers) {
      if (++in_a_row % kInARow == 0) co_await asio::post(self->executor, asio::use_awaitable);
      auto found = self->uses.find(number);
      if (found == self->uses.end() || !self->access) continue;
      const std::string sandbox_id = found->second.sandbox_id;
      const Grant grant = found->second.grant;
      std::optional<Over> over;
      // One that is about to be another (resuming, resizing ...) keeps them, and keeps nobody waiting here.
      if (const auto sandbox = self->access->find_now(sandbox_id)) {
        if (is_unknown(*sandbox) || (*sandbox && !keeps_connections(**sandbox))) over = over_for_state(*sandbox);
        if (!over && *sandbox && grant.kind == Grant::Kind::none && !(*sandbox)->is_public)
          over = over_for_credential();
      }
      if (!over && grant.kind != Grant::Kind::none) {
        auto stands = co_await self->access->recheck(sandbox_id, grant);
        // A control plane that cannot say leaves things as they are.
        if (!stands && (stands.error().code() == Errc::unauthorized || stands.error().code() == Errc::not_found ||
                        stands.error().code() == Errc::forbidden))
          over = stands.error().tag() == "expired" ? over_for_expiry() : over_for_credential();
      }
      if (over) self->end(number, *over);
    }
  }

  void end(std::uint64_t number, const Over& over) {
    auto found = uses.find(number);
    if (found == uses.end() || !found->second.end) return;
    auto end = std::exchange(found->second.end, nullptr);
    end(over);
  }

  static asio::awaitable<void> tick(std::shared_ptr<State> self) {
    while (self->access && !self->uses.empty()) {
      self->timer.expires_after(kCheckEvery);
      auto [code] = co_await self->timer.async_wait(asio::as_tuple(asio::use_awaitable));
      if (code) break;
      co_await check(self, {});
    }
    self->ticking = false;
  }
};

LiveUses::Entry::Entry(Entry&& other) noexcept
    : state_(std::move(other.state_)), number_(std::exchange(other.number_, 0)) {}

LiveUses::Entry& LiveUses::Entry::operator=(Entry&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(number_, other.number_);
  return *this;
}

LiveUses::Entry::~Entry() {
  if (state_) state_->uses.erase(number_);
}

LiveUses::LiveUses(asio::any_io_executor executor, Access& access)
    : state_(std::make_shared<Entry::State>(std::move(executor), access)) {}

LiveUses::~LiveUses() {
  state_->access = nullptr;
  state_->timer.cancel();
}

std::uint16_t Over::close_code() const {
  constexpr std::uint16_t kGoingAway = 1001, kPolicy = 1008, kRestart = 1012;
  if (cause == Cause::server) return kRestart;
  return cause == Cause::sandbox ? kGoingAway : kPolicy;
}

LiveUses::Entry LiveUses::add(std::string sandbox_id, Grant grant, std::function<void(const Over&)> end) {
  Entry entry;
  entry.state_ = state_;
  entry.number_ = state_->next++;
  state_->uses[entry.number_] = {std::move(sandbox_id), std::move(grant), std::move(end)};
  if (!state_->ticking) {
    state_->ticking = true;
    asio::co_spawn(state_->executor, Entry::State::tick(state_), asio::detached);
  }
  return entry;
}

void LiveUses::check_soon(const std::string& sandbox_id) {
  if (!state_->uses.empty()) {
    asio::co_spawn(state_->executor, Entry::State::check(state_, sandbox_id), asio::detached);
  }
}

void LiveUses::end_all() {
  const Over over{Over::Cause::server, Error(Errc::unavailable, "the server is about to start anew")};
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, one] : state_->uses) numbers.push_back(number);
  for (std::uint64_t number : numbers) state_->end(number, over);
}

asio::awaitable<std::optional<Over>> LiveUses::why_lost(std::string sandbox_id) {
  const auto state = state_;
  for (const auto until = Steady::now() + kLostTime; state->access;) {
    const auto sandbox = state->access->find_now(sandbox_id);
    if (sandbox && (is_unknown(*sandbox) || (*sandbox && !(*sandbox)->started))) co_return over_for_state(*sandbox);
    if (Steady::now() >= until || !co_await net::sleep_for(kLostLook)) break;
  }
  co_return std::nullopt;
}

std::size_t LiveUses::size() const { return state_->uses.size(); }

}  // namespace sebring::proxy
