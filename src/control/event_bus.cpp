#include "control/event_bus.h"

#include <vector>

namespace sebring::control {

EventBus::Subscription& EventBus::Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    if (bus_ != nullptr) bus_->listeners_.erase(id_);
    bus_ = std::exchange(other.bus_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

EventBus::Subscription::~Subscription() {
  if (bus_ != nullptr) bus_->listeners_.erase(id_);
}

EventBus::Subscription EventBus::subscribe(Listener listener) {
  const std::uint64_t id = next_++;
  listeners_.emplace(id, std::move(listener));
  return {this, id};
}

void EventBus::publish(Event event) {
  if (listeners_.empty()) return;
  const auto shared = std::make_shared<const Event>(std::move(event));
  // A listener may end its own or another subscription while it is told.
  std::vector<std::uint64_t> ids;
  ids.reserve(listeners_.size());
  for (const auto& [id, listener] : listeners_) ids.push_back(id);
  for (std::uint64_t id : ids) {
    auto found = listeners_.find(id);
    if (found == listeners_.end()) continue;
    const Listener listener = found->second;
    listener(shared);
  }
}

}  // namespace sebring::control
