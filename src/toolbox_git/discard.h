#pragma once
#include <string>

#include "base/result.h"

namespace sebring::toolbox_git {

// Removes a directory with everything in it, or only what is in it. No symbolic link is followed, also not the path
// itself. Fine when it is not there. Goes on after an error and reports the first.
Result<void> remove_tree(const std::string& path, bool keep_directory);

}  // namespace sebring::toolbox_git
