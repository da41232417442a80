#pragma once
// A few threads for what blocks: mounts, waiting for a toolbox, snapshots. Each may mount and has its own netlink
// sockets.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include "runtime/host.h"

namespace sebring::runner {

namespace asio = boost::asio;

class Workers {
 public:
  using Job = std::move_only_function<void(runtime::Host::Wires&)>;

  Workers(asio::any_io_executor executor, runtime::Host& host, std::size_t threads);
  ~Workers();  // after the jobs that were given

  // Runs `work` on a worker and continues on the event loop. What it refers to must live until then, which the caller's
  // frame does: a job is never cancelled.
  template <class Work>
  asio::awaitable<std::invoke_result_t<Work&, runtime::Host::Wires&>> run(Work work) {
    std::optional<std::invoke_result_t<Work&, runtime::Host::Wires&>> result;
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [this, &result, &work](auto handler) {
          post([this, &result, &work, handler = std::move(handler)](runtime::Host::Wires& wires) mutable {
            result.emplace(work(wires));
            asio::post(executor_, std::move(handler));
          });
        },
        asio::use_awaitable);
    co_return std::move(*result);
  }

  void post(Job job);

 private:
  void work();

  asio::any_io_executor executor_;
  runtime::Host& host_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sebring::runner
