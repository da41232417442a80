#include "runtime/upper_stock.h"

#include <algorithm>

namespace sebring::runtime {
namespace {

constexpr std::size_t kThreads = 12;  // that wait for one commit together
constexpr auto kPauseAfterFailure = std::chrono::milliseconds(500);

}  // namespace

UpperStock::UpperStock(Host& host, Cleanup& cleanup, std::size_t wanted)
    : host_(host), cleanup_(cleanup), wanted_(wanted) {}

void UpperStock::start() {
  for (std::size_t i = 0; i < std::min(kThreads, wanted_); ++i) {
    threads_.emplace_back([this] { make(); });
    ::pthread_setname_np(threads_.back().native_handle(), "disks");
  }
}

UpperStock::~UpperStock() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  less_.notify_all();
  more_.notify_all();
  for (auto& thread : threads_) thread.join();
  for (auto& name : stock_) {
    Leftover leftover;
    leftover.upper = std::move(name);
    cleanup_.dispose(std::move(leftover));
  }
}

void UpperStock::make() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (stock_.size() + making_ >= std::max(wanted_, waiting_)) filling_ = false;
    if (!filling_) {
      less_.wait(lock);
      continue;
    }
    ++making_;
    lock.unlock();
    std::string name = Host::new_upper_name();
    auto made = host_.pool().create_upper(name, host_.config().default_disk_bytes);
    lock.lock();
    --making_;
    if (made) {
      last_error_.reset();
      stock_.push_back(std::move(name));
      more_.notify_one();
      continue;
    }
    last_error_ = made.error();
    more_.notify_all();
    less_.wait_for(lock, kPauseAfterFailure);
  }
}

Result<std::string> UpperStock::take() {
  std::unique_lock lock(mutex_);
  ++waiting_;
  while (stock_.empty() && !stopping_ && !last_error_) {
    fill();
    more_.wait(lock);
  }
  --waiting_;
  if (stock_.size() + making_ + std::min(kThreads, wanted_ / 2) <= wanted_) fill();
  if (stock_.empty()) {
    if (last_error_) return std::unexpected(*last_error_);
    return fail(Errc::cancelled, "the runner is ending");
  }
  std::string name = std::move(stock_.back());
  stock_.pop_back();
  return name;
}

void UpperStock::fill() {
  filling_ = true;
  less_.notify_all();
}

void UpperStock::give_back(std::string name) {
  std::lock_guard lock(mutex_);
  stock_.push_back(std::move(name));
  more_.notify_one();
}

}  // namespace sebring::runtime
