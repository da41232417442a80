#pragma once
#include <string>

namespace sebring::os {

// Gives back what memory of a control group can be had again: cached files, and with swap more. `memory_directory`: of
// the group, either version. Best effort; blocks, maybe for seconds.
void reclaim_memory(int memory_directory);

}  // namespace sebring::os
