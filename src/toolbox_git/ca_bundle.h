#pragma once
// Whom https trusts.
#include <string>

#include "base/result.h"

namespace sebring::toolbox_git {

// Once per process and only for https, as reading a bundle takes 20 ms. `preferred` is a bundle that environment or
// configuration names, and then it must be readable; empty: the first of the places where distributions keep theirs,
// and where an image has none the bundle built into this executable.
Result<void> load_trusted_certificates(const std::string& preferred);

}  // namespace sebring::toolbox_git
