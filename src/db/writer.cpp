#include "db/writer.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace sebring::db {

using Moment = std::chrono::steady_clock;

struct Pending::State {
  explicit State(const asio::any_io_executor& executor) : wake(executor, Moment::time_point::max()) {}
  std::optional<Result<void>> outcome;
  asio::steady_timer wake;
};

asio::awaitable<Result<void>> Pending::wait_for(std::shared_ptr<State> state) {
  if (!state->outcome) co_await state->wake.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!state->outcome) co_return fail(Errc::cancelled, "the wait for a commit was cancelled");
  co_return *state->outcome;
}

struct Writer::Shared {
  struct Job {
    Work work;
    std::shared_ptr<Pending::State> state;
    Urgency urgency;
    Moment::time_point since;
    std::optional<Result<void>> outcome;
  };

  Shared(Connection c, asio::any_io_executor e, std::optional<Ballast> b)
      : connection(std::move(c)), executor(std::move(e)), ballast(std::move(b)) {}

  Connection connection;
  asio::any_io_executor executor;
  std::optional<Ballast> ballast;
  std::atomic<bool> short_of_space = false;
  Moment::time_point ballast_tried{};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> queue;
  std::size_t urgent = 0;  // how many in the queue are not lazy
  bool ending = false;
  bool syncing = true;  // whether a commit now waits for the disk, as a connection in write mode does at first
  std::thread thread;

  void run();
  std::deque<Job> next_batch();
  Result<void> begin(const std::deque<Job>& batch);
  void execute(std::deque<Job>& batch);
  bool make_room(const std::deque<Job>& batch);
  void take_ballast();
  void deliver(std::deque<Job> batch);
};

namespace {

// The log stays small enough that reading through it costs nothing, large enough that checkpoints are rare.
constexpr int kCheckpointPages = 1000;
constexpr int kCheckpointPagesBusy = 16'000;
constexpr std::size_t kBatchMax = 256;
constexpr std::chrono::seconds kBallastEvery{5};

Result<void> run_in_savepoint(Connection& connection, Work& work) {
  SB_CHECK(connection.run("SAVEPOINT job"));
  auto done = work(connection);
  if (!done) {
    SB_CHECK(connection.run("ROLLBACK TO job"));
    SB_CHECK(connection.run("RELEASE job"));
    return done;
  }
  SB_CHECK(connection.run("RELEASE job"));
  return {};
}

void end_process_if_fatal(const Result<void>& result) {
  if (result || !is_fatal(result.error())) return;
  std::fprintf(stderr, "database: %s; ending, recovery rereads the file\n", result.error().message().c_str());
  std::_Exit(70);
}

}  // namespace

std::deque<Writer::Shared::Job> Writer::Shared::next_batch() {
  std::unique_lock lock(mutex);
  for (;;) {
    if (ending || urgent > 0) break;
    if (queue.empty()) {
      changed.wait(lock);
      continue;
    }
    const auto until = queue.front().since + kLazyHold;
    if (Moment::now() >= until) break;
    changed.wait_until(lock, until);
  }
  std::deque<Job> batch;
  while (!queue.empty() && batch.size() < kBatchMax) {
    if (queue.front().urgency != Urgency::lazy) --urgent;
    batch.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  return batch;
}

Result<void> Writer::Shared::begin(const std::deque<Job>& batch) {
  const bool sync = std::ranges::any_of(batch, [](const Job& job) { return job.urgency != Urgency::unsynced; });
  if (sync != syncing) SB_CHECK(connection.script(sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
  syncing = sync;
  SB_CHECK(connection.run("BEGIN IMMEDIATE"));
  return {};
}

void Writer::Shared::execute(std::deque<Job>& batch) {
  auto begun = begin(batch);
  Result<void> commit;
  if (!begun) {
    commit = std::unexpected(begun.error());
  } else {
    for (Job& job : batch) {
      job.outcome = run_in_savepoint(connection, job.work);
      end_process_if_fatal(*job.outcome);
    }
    if (auto committed = connection.run("COMMIT"); !committed) {
      commit = std::unexpected(committed.error());
      end_process_if_fatal(commit);
      (void)connection.run("ROLLBACK");
    }
  }
  if (commit) return;
  for (Job& job : batch) job.outcome = commit;
}

// True when the batch met a full disk and there is room now, so that it should be tried again.
bool Writer::Shared::make_room(const std::deque<Job>& batch) {
  bool full = false;
  for (const Job& job : batch) full = full || (!*job.outcome && job.outcome->error().tag() == "full");
  if (!full || !ballast || !ballast->give_up()) return false;
  std::fprintf(stderr, "database: the disk is full; living on the reserve until there is room\n");
  short_of_space = true;
  return true;
}

void Writer::Shared::take_ballast() {
  if (!ballast || Moment::now() - ballast_tried < kBallastEvery) return;
  ballast_tried = Moment::now();
  short_of_space = !ballast->take();
}

void Writer::Shared::deliver(std::deque<Job> batch) {
  for (Job& job : batch) job.work = nullptr;
  asio::post(executor, [batch = std::make_shared<std::deque<Job>>(std::move(batch))] {
    for (Job& job : *batch) {
      job.state->outcome = std::move(job.outcome);
      job.state->wake.cancel();
    }
  });
}

void Writer::Shared::run() {
  for (;;) {
    auto batch = next_batch();
    if (batch.empty()) return;  // only when ending
    execute(batch);
    if (make_room(batch)) execute(batch);
    if (short_of_space) take_ballast();
    deliver(std::move(batch));
    bool idle = false;
    {
      std::lock_guard lock(mutex);
      idle = queue.empty();
    }
    // Checkpoints wait for a quiet moment: they fsync twice. A log that grew too long does not wait.
    if (connection.wal_pages() > (idle ? kCheckpointPages : kCheckpointPagesBusy)) {
      auto done = connection.checkpoint();
      end_process_if_fatal(done);
    }
  }
}

Writer::Writer(Connection connection, asio::any_io_executor executor, std::optional<Ballast> ballast)
    : shared_(std::make_unique<Shared>(std::move(connection), std::move(executor), std::move(ballast))) {
  shared_->take_ballast();
  shared_->thread = std::thread([shared = shared_.get()] { shared->run(); });
}

Writer::~Writer() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->ending = true;
  }
  shared_->changed.notify_one();
  shared_->thread.join();
  (void)shared_->connection.checkpoint();
}

bool Writer::short_of_space() const { return shared_->short_of_space; }

Pending Writer::submit(Work work, Urgency urgency) {
  auto state = std::make_shared<Pending::State>(shared_->executor);
  bool wake = false;
  {
    std::lock_guard lock(shared_->mutex);
    if (shared_->ending) {
      state->outcome = fail(Errc::cancelled, "the database is closing");
      return Pending(std::move(state));
    }
    // A lazy one needs the thread only to start its own timer.
    wake = urgency == Urgency::lazy ? shared_->queue.empty() : shared_->urgent == 0;
    if (urgency != Urgency::lazy) ++shared_->urgent;
    shared_->queue.push_back({std::move(work), state, urgency, Moment::now(), std::nullopt});
  }
  if (wake) shared_->changed.notify_one();
  return Pending(std::move(state));
}

asio::awaitable<Result<void>> Writer::write(Work work, Urgency urgency) {
  Pending pending = submit(std::move(work), urgency);
  co_return co_await pending.wait();
}

}  // namespace sebring::db
