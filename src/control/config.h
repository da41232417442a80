#pragma once
// What the control plane is told at its start. Everything has a sensible value but the paths.
#include <cstdint>
#include <string>
#include <vector>

#include "model/limits.h"
#include "model/sandbox.h"

namespace sebring::control {

struct ControlConfig {
  std::string data_dir;       // our own part is data_dir/control, made 0700
  std::string runner_socket;  // of the runner's API
  std::string admin_socket;   // where we listen for the administrator; empty: nowhere
  std::string version;        // of this program
  // What clients reach us by, no trailing slash: "http://localhost:3000". toolboxProxyUrl is this + "/toolbox".
  std::string public_url = "http://localhost:3000";
  // Host part of previews: "{port}-{id}.{preview_domain}", with the port where it is not the scheme's own.
  std::string preview_domain = "preview.localhost:3000";
  std::string preview_scheme = "http";
  std::string ssh_host = "localhost";
  std::uint16_t ssh_port = 2222;  // 0: there is no gateway
  std::string ssh_public_key;     // of the SSH gateway: "ssh-ed25519 AAAA..."; "" without one

  std::string region_id = "default";
  std::string region_name = "default";
  std::vector<std::string> region_aliases = {"us", "eu"};  // names that clients use by habit
  std::string default_snapshot = "default";

  model::Limits limits;
  model::Intervals intervals;
  std::int64_t pids_max = 4096;
  std::int64_t stop_grace_ms = 5'000;  // from TERM to KILL

  // Creates that run at once and that wait; more are refused with 503 and Retry-After.
  std::size_t creates_at_once = 32;
  std::size_t creates_waiting_max = 1'000;

  // Whether use starts a stopped sandbox that says nothing of it (kWakeLabel in live_index.h).
  bool wake_stopped = false;
  // Whether people's browsers see a warning before a preview.
  bool preview_warning = false;
};

}  // namespace sebring::control
