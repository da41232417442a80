#pragma once
// Keeps the roles running: starts each, notices its end or its silence, starts it again. Reaps what the roles leave
// behind.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "role_process.h"

namespace sebring {

namespace asio = boost::asio;

// A role that ends with this code says that starting it again would not help (sysexits' EX_CONFIG).
constexpr int kDoNotRestart = 78;
// Longer than any stall of a loaded machine, short enough that a hung role is back within a minute.
constexpr std::chrono::seconds kSilenceMax{30};

class Supervisor {
 public:
  // `log` gets one line per event. `give_up` is called once when a role can not be kept running.
  Supervisor(asio::io_context& io, std::function<void(std::string)> log, std::function<void(std::string)> give_up);

  ~Supervisor();

  // Starts the role now and for ever. One that has a pulse and loses it for kSilenceMax is killed.
  Result<void> add(RoleSpec spec);
  // TERM, and KILL after `grace`; not started again. Returns when it is gone, or when the kernel has taken `patience`
  // for burying it: what it held (mounts of thousands of sandboxes) is then still being closed.
  asio::awaitable<void> stop(std::string name, std::chrono::milliseconds grace, std::chrono::milliseconds patience);
  // 0 when it does not run at the moment.
  pid_t pid_of(std::string_view name) const;

 private:
  struct Role;
  void wait_for_children();
  void reap();
  void ended(Role& role, int status);
  void start_again(Role& role);
  void listen_for_pulses();
  void check_pulse(Role& role);
  Role* find(std::string_view name) const;

  asio::io_context& io_;
  asio::signal_set children_;
  asio::steady_timer pulse_timer_;
  std::function<void(std::string)> log_;
  std::function<void(std::string)> give_up_;
  std::vector<std::unique_ptr<Role>> roles_;
};

}  // namespace sebring
