#include "toolbox/notifier.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <exception>

namespace sebring::toolbox {

void Notifier::notify() {
  ++version_;
  for (asio::steady_timer* timer : waiting_) timer->cancel();
}

asio::awaitable<bool> Notifier::changed(std::uint64_t seen, Steady::time_point deadline) {
  if (version_ != seen) co_return true;
  asio::steady_timer timer(io_, deadline);
  waiting_.push_back(&timer);
  while (version_ == seen) {
    auto [code] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (!code || (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) break;
  }
  std::erase(waiting_, &timer);
  co_return version_ != seen;
}

void in_background(asio::io_context& io, asio::awaitable<void> task, const char* what) {
  asio::co_spawn(io, std::move(task), [what](std::exception_ptr failed) {
    if (!failed) return;
    try {
      std::rethrow_exception(failed);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "toolbox: %s: %s\n", what, error.what());
    } catch (...) {
      std::fprintf(stderr, "toolbox: %s: failed\n", what);
    }
  });
}

}  // namespace sebring::toolbox
