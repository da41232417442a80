#pragma once
// A slot: everything slow about a sandbox, done before it is asked for.
#include <optional>
#include <string>
#include <vector>

#include "runtime/cleanup.h"
#include "runtime/host.h"
#include "runtime/limits.h"
#include "runtime/root.h"

namespace sebring::runtime {

struct Slot {
  Index index = 0;
  pid_t pid = -1;  // PID 1 of the sandbox
  std::uint64_t start_time = 0;
  UniqueFd pidfd;
  UniqueFd control;
  UniqueFd words;  // what the daemon says on its standard error, should it die
  UniqueFd listening;
  UniqueFd user_cgroup;  // may be invalid
  UniqueFd memory_directory;
  PoolView view;
  std::string upper;  // fresh, unused; empty once somebody took it
  // Root over `layers` and `upper`, made ahead for the image that is used most.
  UniqueFd root;
  std::vector<std::string> layers;
  std::optional<Limits> limits;  // that are in force already
};

// What freeing a slot takes; its unused upper too, when asked.
Leftover leftover_of(Slot slot, bool destroy_upper);
// Whether somebody has stopped its process (SIGSTOP, a debugger).
bool is_stopped(const Slot& slot);
// Tag of an error: the slot's process has ended without a word, as when somebody killed it, or was stopped; another
// slot will do.
inline constexpr char kSlotEnded[] = "slot_ended";
// The toolbox's answer to Prepare or Enter.
Result<void> read_report(int control, int milliseconds);

// Makes slots on its thread, which has loaded the big filter for good.
class SlotMaker {
 public:
  // Prepares the calling thread; use the object on this thread only.
  static Result<SlotMaker> make(Host& host, Cleanup& cleanup);
  // `upper`: an unused one, taken over. `layers`: paths below the view, to make the root too; may be empty.
  // On failure everything that was made goes to the cleanup.
  // `layers`, `limits`: what will probably be wanted; empty: left to the one who takes it.
  Result<Slot> make_slot(std::string upper, const std::vector<std::string>& layers, std::optional<Limits> limits);

 private:
  SlotMaker(Host& host, Cleanup& cleanup, Host::Wires wires, int parking, int words_parking)
      : host_(host), cleanup_(cleanup), wires_(std::move(wires)), parking_(parking), words_parking_(words_parking) {}
  Result<void> build(Slot& slot, const std::vector<std::string>& layers);
  Result<void> listen(Slot& slot);
  Result<void> start_toolbox(Slot& slot);
  Result<void> map_ids(pid_t helper, Index index);
  Result<void> make_link(const Slot& slot);
  Result<void> prepare_inside(Slot& slot);

  Host& host_;
  Cleanup& cleanup_;
  Host::Wires wires_;
  int parking_;  // of Host::take_parking()
  int words_parking_;
};

}  // namespace sebring::runtime
