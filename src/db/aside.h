#pragma once
// Reads that may take long, on a thread and a connection of their own: nobody else waits behind them.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "db/sqlite.h"

namespace sebring::db {

namespace asio = boost::asio;

class Aside {
 public:
  // `connection` is for reading.
  Aside(Connection connection, asio::any_io_executor executor);
  // Waits for what is under way; what still waits for its turn is answered with Errc::cancelled.
  ~Aside();

  using Work = std::function<Result<void>(Connection&)>;
  // Runs `work` on the thread, in order of the calls, and completes on the executor with what it returned. It sees what
  // was committed before it began. It runs even if the caller is cancelled, so it must own what it uses.
  // Errc::exhausted when too many wait.
  asio::awaitable<Result<void>> run(Work work);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace sebring::db
