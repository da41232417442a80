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

asio::awaitable<Gate::Pass> Gate::enter(std::shared_ptr<Gate> gate, Kind kind) {
  const bool joins = kind == Kind::together && gate->kind_ == Kind::together && gate->waiters_.empty();
  if (gate->inside_ == 0 || joins) {
    ++gate->inside_;
    gate->kind_ = kind;
  } else {
    auto timer = std::make_shared<asio::steady_timer>(gate->executor_, asio::steady_timer::time_point::max());
    gate->waiters_.push_back({timer, kind});
    co_await timer->async_wait(kToken);  // the leaver has counted us in
  }
  co_return Pass(gate);
}

void Gate::leave() {
  if (--inside_ > 0 || waiters_.empty()) return;
  kind_ = waiters_.front().kind;
  do {
    waiters_.front().timer->cancel();
    waiters_.pop_front();
    ++inside_;
  } while (kind_ == Kind::together && !waiters_.empty() && waiters_.front().kind == Kind::together);
}

}  // namespace sebring::runner
