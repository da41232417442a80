#include "ssh/throttle.h"

#include <algorithm>

namespace sebring::ssh {

bool Throttle::admit(const std::string& address, Steady::time_point now) {
  const std::lock_guard lock(mutex_);
  if (waiting_ >= limits_.waiting_max) return false;
  if (addresses_.size() >= limits_.addresses_max) forget_old(now);
  One& one = addresses_[address];
  if (one.failures > 0 && now - one.last_failure > limits_.forget) one = One{.waiting = one.waiting};
  if (one.waiting >= limits_.waiting_each_max || now < one.not_before) return false;
  ++one.waiting;
  ++waiting_;
  return true;
}

void Throttle::leave(const std::string& address) {
  --waiting_;
  const auto found = addresses_.find(address);
  if (found == addresses_.end()) return;
  --found->second.waiting;
  if (found->second.waiting == 0 && found->second.failures == 0) addresses_.erase(found);
}

void Throttle::logged_in(const std::string& address) {
  const std::lock_guard lock(mutex_);
  // Others behind the same address may still be guessing: what they failed stays.
  leave(address);
}

void Throttle::gave_up(const std::string& address) {
  const std::lock_guard lock(mutex_);
  leave(address);
}

void Throttle::failed(const std::string& address, Steady::time_point now) {
  const std::lock_guard lock(mutex_);
  One& one = addresses_[address];
  ++one.failures;
  one.last_failure = now;
  if (one.failures <= limits_.free_failures) return;
  const std::size_t over = std::min<std::size_t>(one.failures - limits_.free_failures, 16);
  one.not_before = now + std::min<std::chrono::seconds>(limits_.pause_max, std::chrono::seconds(1ULL << over));
}

void Throttle::forget_old(Steady::time_point now) {
  std::erase_if(addresses_, [&](const auto& entry) {
    return entry.second.waiting == 0 && now - entry.second.last_failure > limits_.forget;
  });
  // Still full: somebody has many addresses. Forgetting them costs less than keeping them.
  if (addresses_.size() >= limits_.addresses_max) {
    std::erase_if(addresses_, [](const auto& entry) { return entry.second.waiting == 0; });
  }
}

std::size_t Throttle::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

}  // namespace sebring::ssh
