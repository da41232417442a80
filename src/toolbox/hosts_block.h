#pragma once
// The names of linked sandboxes: a marked block at the end of /etc/hosts, kept by us; all the rest is the user's.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/router.h"

namespace sebring::toolbox {

struct Neighbour {
  std::string address;
  std::vector<std::string> names;
};

// The file with its block exchanged for one of these; without any there is no block.
std::string with_neighbours(std::string_view hosts, const std::vector<Neighbour>& neighbours);

// In `path`, when that is a plain file of one name: anything else is left as the user made it.
Result<void> write_neighbours(const std::string& path, const std::vector<Neighbour>& neighbours);

// {"hosts":[{"address":"100.64.0.7","names":["id","name"]}]}; Errc::invalid_argument for what could become more than
// one line of the file.
Result<std::vector<Neighbour>> parse_neighbours(std::string_view json);

// PUT /hosts, for the control plane alone: the proxy strips this header from what others ask.
inline constexpr std::string_view kInternalHeader = "X-Sebring-Internal";
void add_hosts_routes(net::Router& router);

}  // namespace sebring::toolbox
