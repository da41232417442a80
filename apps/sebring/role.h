#pragma once
// What a role gets when it starts, whether from `sebring up` or by itself.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/load.h"

namespace sebring {

struct RoleInput {
  config::Config config;  // all derived paths filled in
  std::string instance;
  std::map<std::string, UniqueFd, std::less<>> sockets;  // listening, by name: api ssh tls; api dial
  std::vector<UniqueFd> held;                            // locks, for as long as the role runs
};

// Started by `sebring up`: settings and sockets are inherited descriptors. `name` becomes the process's name.
// `sockets`: their names in order, separated by commas.
Result<RoleInput> inherit_role(const std::string& name, const std::string& instance, const std::string& sockets);

// Of a listening TCP socket; 0 for others.
std::uint16_t tcp_port(int fd);

int run_control(RoleInput input);
int run_runner(RoleInput input);

// Alone, with settings of its own; makes directories (runner, as root) and sockets itself.
Result<RoleInput> stand_alone_runner(config::Config config);
Result<RoleInput> stand_alone_control(config::Config config);

}  // namespace sebring
