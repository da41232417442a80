#pragma once
// Listening sockets that outlive the roles: bound here once, inherited by each new process of a role, so that clients
// wait in the backlog for the moment that a restart takes instead of being refused.
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "config/settings.h"

namespace sebring {

struct BoundTcp {
  UniqueFd fd;
  std::uint16_t port = 0;  // the real one when 0 was asked for
};
Result<BoundTcp> bind_tcp(const config::HostPort& address);

// What control listens on: "api", and "ssh" and "tls" where they are wanted. Fills the derived settings that say so:
// ssh-listen and tls-listen with their real ports, public-url, preview-domain.
Result<std::map<std::string, UniqueFd, std::less<>>> bind_control(config::Config& config);

// SOCK_STREAM or SOCK_SEQPACKET; an old socket file is replaced. Mode 0660.
Result<UniqueFd> bind_unix(const std::string& path, int type, gid_t group);

}  // namespace sebring
