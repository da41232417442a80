#pragma once
// Starting one role as a process of its own with exactly the privileges and descriptors that it needs.
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "users.h"

namespace sebring {

// Descriptor numbers inside a role.
constexpr int kSettingsFd = 3;
constexpr int kFirstSocketFd = 4;

struct RoleSpec {
  std::string name;                // "control": argv[1]
  std::optional<SystemUser> user;  // none: stays root
  std::string instance;
  std::string settings;  // config::serialise()
  // Name and borrowed descriptor; they become kFirstSocketFd and following, and the role is told their names.
  std::vector<std::pair<std::string, int>> sockets;
  // Borrowed reading end of the role's pulse (net/pulse.h), non-blocking; -1: it is not watched. The writing end is
  // among the sockets, as "pulse".
  int pulse = -1;
};

// Executes this same program again. The child has its own process group, empties its signal mask, dies with this
// process (the thread that calls this must live as long as the role), and gets no other descriptor but 0-2.
Result<pid_t> start_role(const RoleSpec& spec);

}  // namespace sebring
