#pragma once
// Fresh uppers, made ahead. Making one commits the pool's file system, which takes milliseconds and more on a busy
// disk; several threads at once share a commit, so they begin when there is one to make for each of them.
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/cleanup.h"

namespace sebring::runtime {

class UpperStock {
 public:
  UpperStock(Host& host, Cleanup& cleanup, std::size_t wanted);
  ~UpperStock();  // destroys what is left
  void start();

  // Waits until there is one, or the reason why none can be made is known.
  Result<std::string> take();
  // One that was not used after all: its root has never been entered, and no overlay holds it.
  void give_back(std::string name);
  // Disks that wait or are being made.
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return stock_.size() + making_;
  }

 private:
  void make();
  void fill();

  Host& host_;
  Cleanup& cleanup_;
  std::size_t wanted_;
  mutable std::mutex mutex_;
  std::condition_variable more_;
  std::condition_variable less_;
  std::vector<std::string> stock_;
  std::size_t making_ = 0;
  std::size_t waiting_ = 0;
  bool filling_ = true;
  std::optional<Error> last_error_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sebring::runtime
