#pragma once
// Where a branch comes from and goes to.
#include <cstddef>
#include <string>

#include "base/result.h"
#include "toolbox_git/handles.h"

namespace sebring::toolbox_git {

struct Upstream {
  std::string name;        // "origin/main" as configured; empty: none
  bool published = false;  // the server has the branch, as far as was fetched or pushed
  std::size_t ahead = 0;   // commits against the upstream, else against the branch of the same name on the remote
  std::size_t behind = 0;
};
// Of a local branch; an empty name (detached HEAD) has none.
Result<Upstream> upstream_of(git_repository* repository, const std::string& branch);

// Remote and branch there that `branch` is configured to follow; empty where it is not.
struct Tracking {
  std::string remote;
  std::string branch;
};
Tracking tracking_of(git_repository* repository, const std::string& branch);

}  // namespace sebring::toolbox_git
