#include "control/task_scope.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "control/log.h"

namespace sebring::control {

struct TaskScope::State {
  explicit State(asio::any_io_executor e) : executor(std::move(e)), ended(executor) {
    ended.expires_at(std::chrono::steady_clock::time_point::max());
  }
  asio::any_io_executor executor;
  std::list<asio::cancellation_signal> running;
  asio::steady_timer ended;
  bool stopping = false;
};

TaskScope::TaskScope(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}
TaskScope::~TaskScope() = default;
bool TaskScope::stopping() const { return state_->stopping; }

void TaskScope::spawn(std::string name, asio::awaitable<void> task) {
  if (state_->stopping) return;
  auto signal = state_->running.emplace(state_->running.end());
  asio::co_spawn(state_->executor, std::move(task),
                 asio::bind_cancellation_slot(signal->slot(), [state = state_, signal, name = std::move(name)](
                                                                  const std::exception_ptr& thrown) {
                   state->running.erase(signal);
                   if (state->stopping && state->running.empty()) state->ended.cancel();
                   if (!thrown) return;
                   try {
                     std::rethrow_exception(thrown);
                   } catch (const std::exception& error) {
                     if (!state->stopping) log_error(name + ": " + error.what());
                   }
                 }));
}

asio::awaitable<void> TaskScope::stop() {
  auto state = state_;
  state->stopping = true;
  // Each emit may end a task, which takes its signal out of the list: walk a step ahead.
  for (auto it = state->running.begin(); it != state->running.end();) {
    auto next = std::next(it);
    it->emit(asio::cancellation_type::terminal);
    it = next;
  }
  while (!state->running.empty()) co_await state->ended.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace sebring::control
