#pragma once
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

// A copy of the file in memory that nobody can change any more, to be executed. The descriptor is 100 or above, out of
// the way of the small numbers that a starting child is given.
Result<UniqueFd> sealed_copy(const std::string& path);

}  // namespace sebring::os
