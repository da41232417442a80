#pragma once
// Background coroutines with an owner: what they throw is logged, and they are cancelled and awaited at the end.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

namespace sebring::control {

namespace asio = boost::asio;

class TaskScope {
 public:
  explicit TaskScope(asio::any_io_executor executor);
  ~TaskScope();
  // `name` stands in the log when it fails. After stop() nothing is started any more.
  void spawn(std::string name, asio::awaitable<void> task);
  // Cancels all and waits until they have ended.
  asio::awaitable<void> stop();
  bool stopping() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sebring::control
