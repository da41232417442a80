#pragma once
// The directories of one server: made with their owners at each start, so that a wrong mode is mended too.
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/settings.h"
#include "users.h"

namespace sebring {

struct Places {
  std::string instance;
  std::string run_dir;     // the real path
  std::string run_link;    // /run/sebring/INSTANCE when it is a link to run_dir; otherwise empty
  UniqueFd network_claim;  // of the derived sandbox network, while the server runs
};

// Makes the data directory and locks it. Errc::conflict naming the process that has it.
Result<UniqueFd> lock_data_dir(const std::string& data_dir);

// Everything below data and run directory; fills the derived paths of `config`. The caller holds the lock.
Result<Places> prepare_places(config::Config& config, const SystemUser& control, const SystemUser& importer);

// Removes what is ours in the run directory, and it when it is empty then. Called when nothing runs any more.
void remove_run_dir(const Places& places);

}  // namespace sebring
