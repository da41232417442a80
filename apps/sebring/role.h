#pragma once
// What a role gets when it starts, whether from `sebring up` or by itself.
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/load.h"

namespace sebring {

struct RoleInput {
  config::Config config;  // all derived paths filled in
  std::string instance;
  std::vector<UniqueFd> sockets;  // listening; in the order of RoleSpec::sockets
  std::vector<UniqueFd> held;     // locks, for as long as the role runs
  std::uint16_t port = 0;         // of the first socket, when that is TCP
};

// Started by `sebring up`: settings and sockets are inherited descriptors. `name` becomes the process's name.
Result<RoleInput> inherit_role(const std::string& name, const std::string& instance, std::size_t sockets);

int run_control(RoleInput input);
int run_runner(RoleInput input);

// Alone, with settings of its own; makes directories (runner, as root) and sockets itself.
Result<RoleInput> stand_alone_runner(config::Config config);
Result<RoleInput> stand_alone_control(config::Config config);

}  // namespace sebring
