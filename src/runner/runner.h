#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace sebring::runner {

struct RunnerConfig {
  std::string version;
  std::string instance;     // [a-z0-9-]{1,32}: names of cgroups, tables, directories
  std::string data_dir;     // absolute; the caller holds its lock. Journal in data_dir/runner
  std::string run_dir;      // the runner's own, passable for control: sockets of toolboxes. Best on a tmpfs
  std::string pool_dir;     // may be shared by several instances
  std::string images_dir;   // where PUT /v1/images finds its files
  std::string objects_dir;  // where archives are written and read
  std::string toolbox;
  std::string toolbox_git;  // empty: no git
  std::uint64_t pool_bytes = std::uint64_t{20} << 30;
  std::size_t slots = 16;
  std::vector<std::string> dns;  // empty: the host's
  std::string network;           // IPv4 /16 (or wider; its first /16 is used); empty: 100.64.0.0/16
  gid_t control_gid = 0;
  // Listening sockets, borrowed.
  int api_listen_fd = -1;
  int dial_listen_fd = -1;
  int pulse_fd = -1;         // borrowed too: net/pulse.h; -1: nobody watches
  bool keep_network = true;  // false: sandboxes get no network at all
};

// An empty file in data_dir/runner: sandboxes that no longer run were ended on purpose when the server was stopped.
inline constexpr char kEndedByStop[] = "ended-by-stop";

// Serves until SIGTERM or SIGINT, then ends what waits and leaves running sandboxes running. The process must have no
// other thread yet. The result is the exit code: 0, or 78 when the configuration is wrong.
int run(const RunnerConfig& config);

}  // namespace sebring::runner
