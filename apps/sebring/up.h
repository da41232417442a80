#pragma once
#include "base/result.h"
#include "config/load.h"

namespace sebring {

struct UpOptions {
  bool show_key = false;  // print key and quickstart at each start, not only at the first on a terminal
};
// Runs the whole server in the foreground until SIGTERM or SIGINT. Prints `ready URL` on standard output when it
// serves; everything else goes to standard error. Returns the exit code.
int run_up(config::Config config, const UpOptions& options);

}  // namespace sebring
