#pragma once
// The directory of session logs and pipes. Most sandboxes never need it, so it is made with the first.
#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "toolbox/configuration.h"

namespace sebring::toolbox {

// Where it will be: as configured, else below /var/lib where that is root's, else below /. Its parent is root's, so
// that the user can not put a link in its place; the user's only from the last part on.
std::string choose_log_directory(const Configuration& configuration);

// Makes it, mode 0700, and gives it to the user; one that is there already is no error. To be called with the daemon's
// own rights. Errors: Errc::forbidden when somebody else than root or we own its parent; those of the system calls.
Result<void> make_log_directory(const std::string& path, uid_t uid, gid_t gid);

}  // namespace sebring::toolbox
