#pragma once
// Keeps slots ready. Refill threads make them one at a time. Making one costs milliseconds of processor time, which the
// request that took the last one would feel: as long as half of them are there, refills wait for a pause between takes.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/slot_maker.h"
#include "runtime/upper_stock.h"

namespace sebring::runtime {

struct SlotPoolConfig {
  std::size_t wanted = 16;
  std::size_t threads = 2;
};

class SlotPool {
 public:
  SlotPool(Host& host, Cleanup& cleanup, SlotPoolConfig config);
  ~SlotPool();   // ends all waiting slots
  void start();  // begins to make slots

  // A slot for a new disk over `layers` (one made ahead for them, when there is one), or with `own_disk` one for a disk
  // that exists already. Waits at most `milliseconds`; then the reason why none could be made, or Errc::unavailable.
  Result<Slot> take(const std::vector<std::string>& layers, bool own_disk, const Limits& limits, int milliseconds);
  // A fresh upper that was not needed after all.
  void give_back_upper(std::string upper) { uppers_.give_back(std::move(upper)); }
  // Ends waiting slots whose process is dead or stopped: where there was one there may be more.
  void drop_unfit_slots();
  // Waiting slots whose root was made from one of these layers are ended: the layer is going away.
  void forget_layers(const std::string& layer);

  std::size_t ready() const;
  // Disks that belong to no sandbox: of slots that wait, and in stock.
  std::size_t waiting_disks() const;
  std::size_t wanted() const { return config_.wanted; }

 private:
  void refill();
  // Until when refills wait; in the past: not at all.
  std::chrono::steady_clock::time_point rest() const;
  bool wants_plain_slot() const;
  std::deque<Slot>::iterator pick(const std::vector<std::string>& layers, bool own_disk);
  std::optional<Slot> take_living(const std::vector<std::string>& layers, bool own_disk);
  template <class Unfit>
  void drop_slots(Unfit unfit);

  Host& host_;
  Cleanup& cleanup_;
  SlotPoolConfig config_;
  UpperStock uppers_;
  mutable std::mutex mutex_;
  std::condition_variable more_;
  std::condition_variable less_;
  std::deque<Slot> slots_;
  std::vector<std::string> usual_layers_;  // of the last new disk
  std::optional<Limits> usual_limits_;     // of the last one taken
  std::size_t making_ = 0;
  std::size_t waiting_ = 0;
  bool filling_ = true;  // once begun, up to the wanted number
  std::chrono::steady_clock::time_point last_take_;
  std::optional<Error> last_error_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sebring::runtime
