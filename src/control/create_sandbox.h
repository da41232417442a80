#pragma once
#include <optional>
#include <string>
#include <vector>

#include "control/control.h"
#include "control/repeated_request.h"

namespace sebring::control {

// What a client asked for, its types and ranges already right; absent means the default.
struct CreateSandbox {
  std::string organization_id;
  std::optional<std::string> name;
  std::optional<std::string> snapshot;
  std::optional<std::string> user;
  model::TextMap env;
  model::TextMap labels;
  std::optional<std::string> target;
  bool is_public = false;
  bool network_block_all = false;
  std::optional<std::string> network_allow_list;
  std::optional<std::string> domain_allow_list;
  std::optional<int> cpu, gpu, memory_gib, disk_gib;
  std::optional<std::int64_t> stop_minutes, pause_minutes, archive_minutes, destroy_minutes, ttl_minutes;
  std::vector<model::VolumeMount> volumes;
  std::optional<std::string> linked_sandbox;
  RequestKey request;
};

// Answers with a sandbox that runs and whose row says so durably. When it cannot be started nothing is left of it.
asio::awaitable<Result<model::Sandbox>> create_sandbox(Control& control, CreateSandbox asked);

// The id of the region of that id or name, or of a name that clients use by habit; "" is the default one.
Result<std::string> resolve_region(const ControlConfig& config, const std::string& target);

// Errc::unavailable when the disk is full, so that what is left of it is kept for stops and deletes.
Result<void> check_space(const Control& control);
// What the runner did not do, as the wire says it.
Error making_failed(const char* what, const Error& error);

// A token for previews: 32 characters of [a-z0-9_-].
std::string new_auth_token();

}  // namespace sebring::control
