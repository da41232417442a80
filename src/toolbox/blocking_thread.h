#pragma once
// One thread for calls that may block on a disk, so that the event loop never does.
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>

namespace sebring::toolbox {

namespace asio = boost::asio;

class BlockingThread {
 public:
  // `work()` runs on the thread, after what was given before; its result comes back here. It must not throw. The thread
  // is made at the first call.
  template <class Work>
  asio::awaitable<decltype(std::declval<Work&>()())> run(Work work) {
    std::optional<decltype(work())> result;
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this, &result, &work](auto handler) {
          auto executor =
              asio::prefer(asio::get_associated_executor(handler), asio::execution::outstanding_work.tracked);
          asio::post(pool(), [&result, &work, executor, handler = std::move(handler)]() mutable {
            result.emplace(work());
            asio::post(executor, std::move(handler));
          });
        },
        asio::use_awaitable);
    co_return *std::move(result);
  }
  template <class Work>
  void run_later(Work work) {
    asio::post(pool(), std::move(work));
  }

 private:
  asio::thread_pool& pool() {
    if (!pool_) pool_ = std::make_unique<asio::thread_pool>(1);
    return *pool_;
  }
  std::unique_ptr<asio::thread_pool> pool_;
};

}  // namespace sebring::toolbox
