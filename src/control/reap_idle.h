#pragma once
// Stops, pauses, archives and deletes what was not used for as long as its owner said, and what outlived its time. All
// ages are on the service clock.
#include "control/control.h"

namespace sebring::control {

class Reaper {
 public:
  explicit Reaper(Control& control) : control_(control) {}
  // Starts the background work in control.tasks.
  void start();
  // One look at everything; what is due is done in tasks of its own. For tests.
  void look();
  // Writes what was remembered of activity, and the clock.
  asio::awaitable<void> flush();
  // Removes rows that nobody can ask for any more.
  asio::awaitable<void> purge();

 private:
  using Visit = std::function<void(const std::string& id, LiveSandbox& live)>;
  asio::awaitable<void> for_each(Visit visit);
  void look_at(const std::string& id, LiveSandbox& live, model::ServiceMs now);
  asio::awaitable<void> run();
  Control& control_;
};

}  // namespace sebring::control
