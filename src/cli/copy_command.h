#pragma once
#include <string>

#include "cli/api_client.h"
#include "cli/output.h"

namespace sebring::cli {

// Files and directories between this machine and a sandbox; exactly one end is in a sandbox. As with `cp`, a target
// that is a directory (or ends in '/') gets the source's name in it. Modes are kept, owners and links are not.
int copy_files(ApiClient& api, const Output& output, const std::string& from, const std::string& to);

}  // namespace sebring::cli
