#pragma once
// The one writer. Transactions queue up and share commits: each runs in a savepoint of its own, one COMMIT (one fsync,
// none when all are Urgency::unsynced) ends the batch, and only then is anybody told. A failed fsync ends the process:
// what the kernel did with the pages is unknowable, recovery rereads the file.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "db/ballast.h"
#include "db/sqlite.h"

namespace sebring::db {

namespace asio = boost::asio;

// Runs on the writer's thread inside a savepoint; an error rolls back to it and reaches the waiter.
using Work = std::move_only_function<Result<void>(Connection&)>;

enum class Urgency {
  now,
  // May be held back for kLazyHold, so that an intention and its outcome, written a millisecond later, share one fsync.
  lazy,
  // Committed at once and seen by readers, but on the disk only with the next commit of another kind: a failure of
  // power may take it back, the end of a process does not. For what a restart finds out again.
  unsynced,
};
inline constexpr std::chrono::milliseconds kLazyHold{5};

// The outcome of one transaction. Use on the executor's thread only; copies share the outcome.
class Pending {
 public:
  asio::awaitable<Result<void>> wait() const { return wait_for(state_); }

 private:
  friend class Writer;
  struct State;
  explicit Pending(std::shared_ptr<State> state) : state_(std::move(state)) {}
  // By value: a coroutine starts when it is awaited, and the handle may be gone by then.
  static asio::awaitable<Result<void>> wait_for(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

class Writer {
 public:
  // `executor` runs one thread; completions are posted there. Takes over a connection in write mode.
  // `ballast` is given up when the disk is full.
  Writer(Connection connection, asio::any_io_executor executor, std::optional<Ballast> ballast = std::nullopt);
  // Commits what was submitted, then ends the thread. Waiters that still wait get Errc::cancelled from a later wait().
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Transactions take effect in the order of submission. Never fails by itself: the outcome is in the Pending.
  Pending submit(Work work, Urgency urgency = Urgency::now);
  asio::awaitable<Result<void>> write(Work work, Urgency urgency = Urgency::now);
  // The disk is full and what is left of it is for stops and deletes. Any thread.
  bool short_of_space() const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace sebring::db
