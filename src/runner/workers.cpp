#include "runner/workers.h"

#include <cstdio>

#include "runtime/root.h"

namespace sebring::runner {

Workers::Workers(asio::any_io_executor executor, runtime::Host& host, std::size_t threads)
    : executor_(std::move(executor)), host_(host) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work(); });
    ::pthread_setname_np(threads_.back().native_handle(), "worker");
  }
}

Workers::~Workers() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  more_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Workers::post(Job job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  more_.notify_one();
}

void Workers::work() {
  if (auto ready = runtime::prepare_mounting_thread(); !ready)
    std::fprintf(stderr, "runner: %s\n", ready.error().message().c_str());
  auto wires = host_.open_wires();
  if (!wires) std::fprintf(stderr, "runner: %s\n", wires.error().message().c_str());
  runtime::Host::Wires none;
  std::unique_lock lock(mutex_);
  for (;;) {
    more_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job(wires ? *wires : none);
    job = nullptr;
    lock.lock();
  }
}

}  // namespace sebring::runner
