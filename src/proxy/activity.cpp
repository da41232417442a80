#include "proxy/activity.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_map>

#include "proxy/access.h"

namespace sebring::proxy {
namespace {

constexpr std::chrono::seconds kTouchEvery{50};
// A busy client's thousand requests a second are one touch.
constexpr std::chrono::seconds kTouchAtMostEvery{1};
constexpr std::chrono::seconds kTick{5};

}  // namespace

struct ActivityKeeper::Use::State {
  State(net::asio::any_io_executor the_executor, Access& the_access)
      : executor(the_executor), access(&the_access), timer(the_executor) {}

  struct One {
    std::size_t open = 0;
    Steady::time_point touched{};
  };
  net::asio::any_io_executor executor;
  Access* access;  // nullptr once the keeper has gone
  net::asio::steady_timer timer;
  bool ticking = false;
  std::unordered_map<std::string, One> sandboxes;

  void touch(const std::string& id, One& one, Steady::time_point now) {
    one.touched = now;
    if (access) access->touch_activity(id);
  }

  static net::asio::awaitable<void> tick(std::shared_ptr<State> self) {
    while (self->access && !self->sandboxes.empty()) {
      self->timer.expires_after(kTick);
      auto [code] = co_await self->timer.async_wait(net::asio::as_tuple(net::asio::use_awaitable));
      if (code) break;
      const auto now = Steady::now();
      std::erase_if(self->sandboxes, [](const auto& entry) { return entry.second.open == 0; });
      for (auto& [id, one] : self->sandboxes) {
        if (now - one.touched >= kTouchEvery) self->touch(id, one, now);
      }
    }
    self->ticking = false;
  }
};

ActivityKeeper::Use::~Use() {
  if (!keeper_) return;
  // The entry stays until the next tick, so that a series of short requests remembers the last touch.
  if (auto found = keeper_->sandboxes.find(sandbox_id_); found != keeper_->sandboxes.end()) --found->second.open;
}

ActivityKeeper::ActivityKeeper(net::asio::any_io_executor executor, Access& access)
    : state_(std::make_shared<Use::State>(std::move(executor), access)) {}

ActivityKeeper::~ActivityKeeper() {
  state_->access = nullptr;
  state_->timer.cancel();
}

ActivityKeeper::Use ActivityKeeper::use(const std::string& sandbox_id) {
  Use use;
  use.keeper_ = state_;
  use.sandbox_id_ = sandbox_id;
  auto& one = state_->sandboxes[sandbox_id];
  ++one.open;
  const auto now = Steady::now();
  if (now - one.touched >= kTouchAtMostEvery) state_->touch(sandbox_id, one, now);
  if (!state_->ticking) {
    state_->ticking = true;
    net::asio::co_spawn(state_->executor, Use::State::tick(state_), net::asio::detached);
  }
  return use;
}

}  // namespace sebring::proxy
