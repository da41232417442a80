#include "db/aside.h"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace sebring::db {
namespace {
// A list of 100,000 rows may take some tenths of a second: who comes behind so many would wait for minutes.
constexpr std::size_t kWaitingMax = 256;
constexpr int kNice = 5;
}  // namespace

struct Aside::Shared {
  struct Answer {
    explicit Answer(const asio::any_io_executor& executor) : wake(executor, asio::steady_timer::time_point::max()) {}
    std::optional<Result<void>> outcome;
    asio::steady_timer wake;
  };
  struct Job {
    Work work;
    std::shared_ptr<Answer> answer;
  };

  Shared(Connection c, asio::any_io_executor e) : connection(std::move(c)), executor(std::move(e)) {}

  void run() {
    // Who answers everybody else goes first.
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    for (;;) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return ending || !queue.empty(); });
      if (queue.empty()) return;
      Job job = std::move(queue.front());
      queue.pop_front();
      const bool wanted = !ending;
      lock.unlock();
      Result<void> outcome = wanted ? job.work(connection) : fail(Errc::cancelled, "the database is closing");
      job.work = nullptr;
      asio::post(executor, [answer = std::move(job.answer), outcome = std::move(outcome)]() mutable {
        answer->outcome = std::move(outcome);
        answer->wake.cancel();
      });
    }
  }

  Connection connection;
  asio::any_io_executor executor;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> queue;
  bool ending = false;
  std::thread thread;
};

Aside::Aside(Connection connection, asio::any_io_executor executor)
    : shared_(std::make_unique<Shared>(std::move(connection), std::move(executor))) {
  shared_->thread = std::thread([shared = shared_.get()] { shared->run(); });
}

Aside::~Aside() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->ending = true;
  }
  shared_->changed.notify_one();
  shared_->thread.join();
}

asio::awaitable<Result<void>> Aside::run(Work work) {
  auto answer = std::make_shared<Shared::Answer>(shared_->executor);
  {
    std::lock_guard lock(shared_->mutex);
    if (shared_->queue.size() >= kWaitingMax) co_return fail(Errc::exhausted, "Too many lists are asked for at once");
    shared_->queue.push_back({std::move(work), answer});
  }
  shared_->changed.notify_one();
  if (!answer->outcome) co_await answer->wake.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!answer->outcome) co_return fail(Errc::cancelled, "the wait for a list was cancelled");
  co_return std::move(*answer->outcome);
}

}  // namespace sebring::db
