#pragma once
#include <set>
#include <string>

#include "runtime/cleanup.h"

namespace sebring::runtime {

// What is meant to be there.
struct Known {
  std::set<Index> indices;  // of running containers
  std::set<pid_t> pids;     // their PID 1s
  std::set<std::string> disks;
};

// Frees everything of this instance that is not known: what a killed runner has left. Everything is named after an
// index or lies in this instance's part of the pool, so it shows up wherever it is left: groups, sockets, files, rules,
// links, processes, disks. Before the first slot is made. Returns at once; the cleanup does the work.
void destroy_strays(Host& host, Cleanup& cleanup, const Known& known);

}  // namespace sebring::runtime
