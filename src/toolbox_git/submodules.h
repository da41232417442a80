#pragma once
#include "base/result.h"
#include "toolbox_git/handles.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/url.h"

namespace sebring::toolbox_git {

// Fetches and checks out the submodules of HEAD, theirs too (at most 8 levels). Their URLs come from the repository:
// they may only be http(s) and ssh, or a local path when `parent` is one. `request` gives sign-in (for the same server
// only), depth and trust.
Result<void> update_submodules(git_repository* repository, const RepositoryUrl& parent, const Clone& request,
                               Tools& tools, int level = 0);

}  // namespace sebring::toolbox_git
