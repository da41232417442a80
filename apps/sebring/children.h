#pragma once
#include <sys/types.h>

#include <chrono>

namespace sebring {

// Kills the children that `parent` has now, and does not wait for their end. The number of those told.
int kill_children(pid_t parent);
// The same for this process, which has adopted PID 1 of sandboxes whose runner is gone; reaps until no child is left,
// at most for `patience`. The kernel ends a killed one even when that was too short.
void end_children(std::chrono::milliseconds patience);

}  // namespace sebring
