#pragma once
#include <string>

#include "base/result.h"

namespace sebring::toolbox_git {

// Errc::invalid_argument for what git does not take as the name of a branch.
Result<void> check_branch_name(const std::string& name);

}  // namespace sebring::toolbox_git
