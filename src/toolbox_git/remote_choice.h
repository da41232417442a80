#pragma once
// Which remote an operation means.
#include <string>

#include "base/result.h"
#include "toolbox_git/handles.h"

namespace sebring::toolbox_git {

// The named one, else the one that `branch` follows, else origin. Errc::not_found when there is no such remote.
Result<Remote> choose_remote(git_repository* repository, const std::string& name, const std::string& branch);

}  // namespace sebring::toolbox_git
