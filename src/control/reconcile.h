#pragma once
// Keeps rows and runner in step: listens to what the runner tells, compares its whole inventory with the rows whenever
// it is reached anew, and repairs single sandboxes with growing pauses until they are where they should be.
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/control.h"

namespace sebring::control {

class Reconciler {
 public:
  // Sets control.needs_repair. Outlived by control.
  explicit Reconciler(Control& control);
  // Fills the index from the rows. Before anything is served.
  asio::awaitable<Result<void>> load();
  // Starts the background work in control.tasks.
  void start();
  // Returns when what rests has been compared with the runner's inventory for the first time: from then on rows say
  // what is, also after a reboot. `longest`: without a runner the rows are served as they are. A comparison that has
  // begun by then is waited for, since what it has not reached yet would be told wrongly.
  asio::awaitable<void> first_look(std::chrono::milliseconds longest);
  // Whether the runner was reached and its inventory compared since it was lost last.
  bool in_step() const { return in_step_; }

 private:
  asio::awaitable<void> follow_runner();
  asio::awaitable<Result<void>> compare_inventory();
  // Several at once: each may wait for the disk or for processes that end.
  asio::awaitable<void> compare_all(const std::vector<std::string>& ids,
                                    const std::map<std::string, RunnerReport>& held);
  asio::awaitable<void> look_again();
  asio::awaitable<Result<void>> compare_one(std::string id, const RunnerReport* report);
  asio::awaitable<void> remove_unknown(std::string id);
  asio::awaitable<void> handle_exit(std::string id, RunnerCause cause);
  void request_repair(std::string id);
  asio::awaitable<void> repair_until_done(std::string id);
  asio::awaitable<Result<bool>> repair_once(std::string id);
  asio::awaitable<bool> pause(std::chrono::milliseconds time);

  Control& control_;
  std::set<std::string> repairing_;
  bool in_step_ = false;
  bool looking_ = false;
  bool looked_ = false;
  asio::steady_timer first_look_;
  int comparisons_due_ = 0;
};

}  // namespace sebring::control
