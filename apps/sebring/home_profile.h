#pragma once
// ~/.config/sebring/profile.json of the person who started the server, also behind sudo, so that the CLI works for
// them.
#include "base/result.h"
#include "cli/profile.h"

namespace sebring {

// Writes it when there is none, when it is this server's, or when its server is gone; leaves foreign ones alone.
// As the user it belongs to, never as root in somebody's directory. Without a home: does nothing.
Result<void> write_home_profile(const cli::Profile& profile);

}  // namespace sebring
