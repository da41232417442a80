#pragma once
// The daemon asks the helper to end with SIGTERM: an operation on the network gives up and cleans up, one on local
// files comes to its end, so that neither leaves locks behind. Whoever does not listen is killed some seconds later.

namespace sebring::toolbox_git {

void watch_for_cancellation();
bool is_cancelled();

}  // namespace sebring::toolbox_git
