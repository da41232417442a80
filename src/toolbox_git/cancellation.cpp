#include "toolbox_git/cancellation.h"

#include <csignal>

namespace sebring::toolbox_git {
namespace {

// A signal handler has nothing else to write to.
volatile std::sig_atomic_t cancelled = 0;

void on_signal(int) { cancelled = 1; }

}  // namespace

void watch_for_cancellation() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = 0;  // no restart: a call that hangs, as opening a fifo does, must come back
  ::sigaction(SIGTERM, &action, nullptr);
}

bool is_cancelled() { return cancelled != 0; }

}  // namespace sebring::toolbox_git
