#pragma once
// The inside half of a slot: what the toolbox process does between its start and the moment it serves a sandbox.
// The other half, which prepares namespaces and mounts from outside, is in runtime/.
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::slot {

// The slot's control socket; nothing else is inherited but /dev/null on 0-2 and what the slot protocol passes.
inline constexpr int kControlFd = 3;

struct Entered {
  UniqueFd listening;  // Unix stream socket, bound and listening; the host connects to it
  // A command's process writes "0" into it, before it executes, to join the users' memory cgroup: version 1 `tasks`,
  // version 2 `cgroup.procs` (clone3 and so CLONE_INTO_CGROUP is refused to everything in a sandbox). Opened by the
  // host's root, whose rights count. Invalid: commands stay where they are.
  UniqueFd user_cgroup;
  UniqueFd memory_cgroup;  // directory of the users' memory cgroup, for reading events, peak and limit; may be invalid
  UniqueFd git_helper;     // sealed executable of the git operations; invalid where there is none
  int cgroup_version = 1;
  UniqueFd self_executable;   // this program; invalid where /proc does not tell
  UniqueFd devpts;            // root directory of this sandbox's devpts instance
  std::string configuration;  // JSON, written by control, opaque to the runner; toolbox/configuration.h reads it
};

// May refuse a configuration, once the image's root is in place: its error is the slot's answer.
using CheckConfiguration = std::function<Result<void>(const std::string& configuration)>;

// Runs the slot's protocol on kControlFd: joins its namespaces, prepares, waits, enters the image's root, answers,
// drops privileges. Ends the process when the runner goes away before the slot was taken. Call first thing in main().
Result<Entered> wait_in_slot(const CheckConfiguration& check = {});

}  // namespace sebring::slot
