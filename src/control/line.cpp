#include "control/line.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>

namespace sebring::control {

struct Lines::Waiter {
  explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
  bool together = false;
  bool granted = false;
};

struct Lines::Line {
  std::size_t inside = 1;
  bool together = false;  // those inside
  std::deque<std::shared_ptr<Waiter>> waiting;
};

Lines::Place& Lines::Place::operator=(Place&& other) noexcept {
  if (this != &other) {
    leave();
    lines_ = std::exchange(other.lines_, nullptr);
    id_ = std::move(other.id_);
  }
  return *this;
}

void Lines::Place::leave() {
  if (auto* lines = std::exchange(lines_, nullptr)) lines->leave(id_);
}

std::optional<Lines::Place> Lines::try_enter(const std::string& id, Turn turn) {
  auto [found, is_new] = lines_.try_emplace(id, nullptr);
  std::shared_ptr<Line>& line = found->second;
  if (is_new) {
    line = std::make_shared<Line>();
    line->together = turn == Turn::together;
    return Place(this, id);
  }
  // Behind somebody who waits for those inside nobody overtakes.
  if (turn != Turn::together || !line->together || !line->waiting.empty()) return std::nullopt;
  ++line->inside;
  return Place(this, id);
}

asio::awaitable<Result<Lines::Place>> Lines::enter(std::string id, Turn turn, std::chrono::milliseconds wait_max) {
  if (auto place = try_enter(id, turn)) co_return std::move(*place);
  auto line = lines_[id];
  if (line->waiting.size() >= kLengthMax) co_return fail(Errc::conflict, "Sandbox state change in progress");
  auto waiter = std::make_shared<Waiter>(executor_);
  waiter->together = turn == Turn::together;
  waiter->timer.expires_after(wait_max);
  if (turn == Turn::first) {
    line->waiting.push_front(waiter);
  } else {
    line->waiting.push_back(waiter);
  }
  co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiter->granted) co_return Place(this, std::move(id));
  std::erase(line->waiting, waiter);
  co_return fail(Errc::conflict, "Sandbox state change in progress");
}

void Lines::leave(const std::string& id) {
  auto found = lines_.find(id);
  if (found == lines_.end()) return;
  auto line = found->second;
  if (--line->inside > 0) return;
  if (line->waiting.empty()) {
    lines_.erase(found);
    return;
  }
  line->together = line->waiting.front()->together;
  do {
    auto next = line->waiting.front();
    line->waiting.pop_front();
    ++line->inside;
    next->granted = true;
    next->timer.cancel();
  } while (line->together && !line->waiting.empty() && line->waiting.front()->together);
}

}  // namespace sebring::control
