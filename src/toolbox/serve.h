#pragma once
// Makes the daemon of its parts and runs it.
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::toolbox {

struct ServeOptions {
  std::string home;           // of the user, in place of what the passwd file says; empty: what that says
  UniqueFd listening;         // a listening stream socket; or, when invalid:
  std::string listen_path;    // where to bind a Unix socket
  std::string configuration;  // configuration.h
  UniqueFd user_cgroup;       // these as in slot::Entered
  UniqueFd memory_cgroup;
  UniqueFd devpts;
  UniqueFd self_executable;
  UniqueFd git_helper;
};

// Whether the image knows the user, where the configuration asks for it (checkUser).
Result<void> check_user(const std::string& configuration);

// Serves until the process is ended. Returns only when it can not start.
Result<void> serve(ServeOptions options);

}  // namespace sebring::toolbox
