#include "runtime/slot_pool.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "os/pidfd.h"

namespace sebring::runtime {
namespace {

constexpr auto kPauseAfterFailure = std::chrono::milliseconds(500);
// Of the waiting slots this share has no root yet: for restarts and for other images.
constexpr std::size_t kPlainShare = 4;
// A create and its first command are over in this time.
constexpr auto kRest = std::chrono::milliseconds(25);

bool is_dead(const Slot& slot) { return os::wait_pidfd(slot.pidfd.get(), 0); }

}  // namespace

SlotPool::SlotPool(Host& host, Cleanup& cleanup, SlotPoolConfig config)
    : host_(host),
      cleanup_(cleanup),
      config_(config),
      uppers_(host, cleanup, std::max<std::size_t>(8, config.wanted / 2)) {}

void SlotPool::start() {
  uppers_.start();
  for (std::size_t i = 0; i < std::max<std::size_t>(1, config_.threads); ++i) {
    threads_.emplace_back([this] { refill(); });
    ::pthread_setname_np(threads_.back().native_handle(), "slots");
  }
}

SlotPool::~SlotPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  less_.notify_all();
  more_.notify_all();
  for (auto& thread : threads_) thread.join();
  for (auto& slot : slots_) cleanup_.dispose(leftover_of(std::move(slot), true));
}

bool SlotPool::wants_plain_slot() const {
  auto plain = static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.root; }));
  return plain * kPlainShare < slots_.size() + 1;
}

std::chrono::steady_clock::time_point SlotPool::rest() const {
  if (filling_ || waiting_ > 0 || slots_.size() + making_ < config_.wanted / 2) return {};
  return last_take_ + kRest;
}

void SlotPool::refill() {
  auto maker = SlotMaker::make(host_, cleanup_);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // Beyond the wanted number when somebody waits.
    if (slots_.size() + making_ >= std::max(config_.wanted, waiting_)) {
      filling_ = false;
      less_.wait(lock);
      continue;
    }
    if (auto until = rest(); until > std::chrono::steady_clock::now()) {
      less_.wait_until(lock, until);
      continue;
    }
    filling_ = true;
    std::vector<std::string> layers = wants_plain_slot() ? std::vector<std::string>{} : usual_layers_;
    std::optional<Limits> limits = usual_limits_;
    ++making_;
    lock.unlock();
    auto slot = [&]() -> Result<Slot> {
      if (!maker) return std::unexpected(maker.error());
      SB_TRY(auto upper, uppers_.take());
      return maker->make_slot(std::move(upper), layers, limits);
    }();
    lock.lock();
    --making_;
    if (slot) {
      last_error_.reset();
      slots_.push_back(std::move(*slot));
      more_.notify_one();
      continue;
    }
    if (!last_error_ || last_error_->message() != slot.error().message())
      std::fprintf(stderr, "runner: %s\n", slot.error().message().c_str());
    last_error_ = std::move(slot).error();
    more_.notify_all();
    less_.wait_for(lock, kPauseAfterFailure);
  }
}

std::deque<Slot>::iterator SlotPool::pick(const std::vector<std::string>& layers, bool own_disk) {
  auto plain = std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.root; });
  if (own_disk) return plain != slots_.end() ? plain : slots_.begin();
  auto fitting =
      std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.root && slot.layers == layers; });
  if (fitting != slots_.end()) return fitting;
  return plain != slots_.end() ? plain : slots_.begin();
}

Result<Slot> SlotPool::take(const std::vector<std::string>& layers, bool own_disk, const Limits& limits,
                            int milliseconds) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  std::unique_lock lock(mutex_);
  if (!own_disk && usual_layers_ != layers) usual_layers_ = layers;
  usual_limits_ = limits;
  ++waiting_;
  std::optional<Slot> slot;
  while (!stopping_ && !(slot = take_living(layers, own_disk))) {
    less_.notify_one();
    if (more_.wait_until(lock, deadline) == std::cv_status::timeout) break;
    // What passes by itself is waited for.
    if (slots_.empty() && last_error_ && last_error_->code() != Errc::unavailable) break;
  }
  --waiting_;
  last_take_ = std::chrono::steady_clock::now();
  less_.notify_one();
  if (slot) return *std::move(slot);
  if (stopping_) return fail(Errc::unavailable, "the runner is ending");
  return fail(Errc::unavailable, last_error_ ? last_error_->message() : "no slot became ready in time");
}

// Nobody waits for their ends: who kills processes of the machine is met here, before a sandbox depends on one of them.
std::optional<Slot> SlotPool::take_living(const std::vector<std::string>& layers, bool own_disk) {
  while (!slots_.empty()) {
    auto picked = pick(layers, own_disk);
    Slot slot = std::move(*picked);
    slots_.erase(picked);
    if (!is_dead(slot)) return slot;
    cleanup_.dispose(leftover_of(std::move(slot), true));
  }
  return std::nullopt;
}

template <class Unfit>
void SlotPool::drop_slots(Unfit unfit) {
  std::erase_if(slots_, [&](Slot& slot) {
    if (!unfit(slot)) return false;
    cleanup_.dispose(leftover_of(std::move(slot), true));
    return true;
  });
}

void SlotPool::drop_unfit_slots() {
  std::lock_guard lock(mutex_);
  drop_slots([](const Slot& slot) { return is_dead(slot) || is_stopped(slot); });
  less_.notify_all();
}

void SlotPool::forget_layers(const std::string& layer) {
  std::lock_guard lock(mutex_);
  if (std::find(usual_layers_.begin(), usual_layers_.end(), layer) != usual_layers_.end()) usual_layers_.clear();
  drop_slots(
      [&](const Slot& slot) { return std::find(slot.layers.begin(), slot.layers.end(), layer) != slot.layers.end(); });
  less_.notify_all();
}

std::size_t SlotPool::waiting_disks() const {
  const std::size_t stock = uppers_.size();
  std::lock_guard lock(mutex_);
  return stock + slots_.size() + making_;
}

std::size_t SlotPool::ready() const {
  std::lock_guard lock(mutex_);
  return slots_.size();
}

}  // namespace sebring::runtime
