#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox {

// Absolute path for what a client names: relative ones against `work_dir`, "~" and "~/x" against `home`.
// Errc::invalid_argument for NUL or an empty path. Not normalised: the kernel resolves it, as the sandbox's user.
Result<std::string> resolve_path(std::string_view path, std::string_view work_dir, std::string_view home);

}  // namespace sebring::toolbox
