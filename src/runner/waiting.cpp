#include "runner/waiting.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sebring::runner {
namespace {
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
}

asio::awaitable<void> Signal::wait(std::chrono::milliseconds at_most) {
  auto timer = std::make_shared<asio::steady_timer>(executor_, at_most);
  waiters_.push_back(timer);
  co_await timer->async_wait(kToken);
  std::erase(waiters_, timer);
}

void Signal::notify_all() {
  auto woken = std::exchange(waiters_, {});
  for (auto& timer : woken) timer->cancel();
}

asio::awaitable<Gate::Pass> Gate::enter(std::shared_ptr<Gate> gate) {
  if (gate->taken_) {
    auto timer = std::make_shared<asio::steady_timer>(gate->executor_, asio::steady_timer::time_point::max());
    gate->waiters_.push_back(timer);
    co_await timer->async_wait(kToken);  // the leaver hands over: taken_ stays set
  }
  gate->taken_ = true;
  co_return Pass(gate);
}

void Gate::leave() {
  if (waiters_.empty()) {
    taken_ = false;
    return;
  }
  auto next = std::move(waiters_.front());
  waiters_.pop_front();
  next->cancel();
}

}  // namespace sebring::runner
