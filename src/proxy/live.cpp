#include "proxy/live.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

namespace sebring::proxy {
namespace {
constexpr std::chrono::seconds kCheckEvery{5};

// What is paused goes on where it was, its connections too.
bool keeps_connections(const Sandbox& sandbox) {
  return sandbox.started || sandbox.state == "pausing" || sandbox.state == "paused" || sandbox.state == "resuming";
}
}  // namespace

struct LiveUses::Entry::State {
  State(asio::any_io_executor the_executor, Access& the_access)
      : executor(the_executor), access(&the_access), timer(the_executor) {}

  struct One {
    std::string sandbox_id;
    Grant grant;
    std::function<void()> end;
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
    for (std::uint64_t number : numbers) {
      auto found = self->uses.find(number);
      if (found == self->uses.end() || !self->access) continue;
      const std::string sandbox_id = found->second.sandbox_id;
      const Grant grant = found->second.grant;
      auto sandbox = co_await self->access->find(sandbox_id);
      bool over = sandbox ? !keeps_connections(*sandbox) : sandbox.error().code() == Errc::not_found;
      if (!over && grant.kind == Grant::Kind::none) over = sandbox && !sandbox->is_public;
      if (!over && grant.kind != Grant::Kind::none && self->access) {
        auto stands = co_await self->access->recheck(sandbox_id, grant);
        // A control plane that cannot say leaves things as they are.
        over = !stands && (stands.error().code() == Errc::unauthorized || stands.error().code() == Errc::not_found ||
                           stands.error().code() == Errc::forbidden);
      }
      found = self->uses.find(number);
      if (!over || found == self->uses.end() || !found->second.end) continue;
      auto end = std::exchange(found->second.end, nullptr);
      end();
    }
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

LiveUses::Entry LiveUses::add(std::string sandbox_id, Grant grant, std::function<void()> end) {
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

std::size_t LiveUses::size() const { return state_->uses.size(); }

}  // namespace sebring::proxy
