#include "control/gate.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sebring::control {
namespace {

// Clients give up after 60 s; what waited this long would only be thrown away.
constexpr std::chrono::seconds kWaitMax{30};

std::unexpected<Error> full() {
  return fail(Errc::unavailable, "The server is busy creating other sandboxes. Please try again later.", "retry_after");
}

}  // namespace

struct Gate::Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
  bool granted = false;
};

asio::awaitable<Result<Gate::Pass>> Gate::enter() {
  if (waiting_.empty() && has_room()) {
    ++inside_;
    co_return Pass(this);
  }
  if (waiting_.size() >= waiting_max_) co_return full();
  auto waiter = std::make_shared<Waiter>(executor_);
  waiter->timer.expires_after(kWaitMax);
  waiting_.push_back(waiter);
  co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiter->granted) co_return Pass(this);
  std::erase(waiting_, waiter);
  co_return full();
}

// One may always go on, or a line that formed under pressure would never be looked at again.
bool Gate::has_room() {
  if (inside_ == 0) return true;
  return inside_ < (pressure_.is_short() ? std::max<std::size_t>(1, at_once_ / 8) : at_once_);
}

void Gate::leave() {
  --inside_;
  while (!waiting_.empty() && has_room()) {
    auto next = waiting_.front();
    waiting_.pop_front();
    ++inside_;
    next->granted = true;
    next->timer.cancel();
  }
}

}  // namespace sebring::control
