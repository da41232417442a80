#include "api/sandbox_json.h"

#include <boost/json.hpp>
#include <charconv>
#include <limits>

namespace sebring::api {
namespace bj = boost::json;
namespace {

bj::value nullable(const std::optional<std::string>& text) { return text ? bj::value(*text) : bj::value(nullptr); }

bj::object text_map(const model::TextMap& map) {
  bj::object object;
  for (const auto& [key, value] : map) object[key] = value;
  return object;
}

void add_intervals(bj::object& object, const model::Sandbox& s) {
  object["autoStopInterval"] = s.intervals.stop;
  object["autoPauseInterval"] = s.intervals.pause;
  object["autoArchiveInterval"] = s.intervals.archive;
  object["autoDeleteInterval"] = s.intervals.destroy;
  if (s.auto_destroy_at) object["autoDestroyAt"] = iso8601(*s.auto_destroy_at);
}

void add_identity(bj::object& object, const model::Sandbox& s) {
  object["id"] = s.id;
  object["organizationId"] = s.organization_id;
  object["name"] = s.name;
  object["target"] = s.region_id;
  object["snapshot"] = nullable(s.snapshot);
  object["user"] = s.user;
}

void add_resources(bj::object& object, const model::Sandbox& s) {
  object["cpu"] = s.resources.cpu;
  object["gpu"] = s.resources.gpu;
  object["memory"] = s.resources.memory_gib;
  object["disk"] = s.resources.disk_gib;
}

void add_state(bj::object& object, const model::Sandbox& s) {
  object["state"] = bj::string(model::to_text(s.visible()));
  object["desiredState"] = bj::string(model::to_text(s.desired));
  object["errorReason"] = nullable(s.error_reason);
  object["recoverable"] = s.recoverable;
}

void add_times(bj::object& object, const model::Sandbox& s) {
  object["createdAt"] = iso8601(s.created_at);
  object["updatedAt"] = iso8601(s.updated_at);
  object["lastActivityAt"] = iso8601(s.last_activity_at);
}

void add_network(bj::object& object, const model::Sandbox& s) {
  object["networkBlockAll"] = s.network_block_all;
  object["networkAllowList"] = nullable(s.network_allow_list);
  object["domainAllowList"] = nullable(s.domain_allow_list);
}

void add_place(bj::object& object, const control::ControlConfig& config, const model::Sandbox& s) {
  object["sandboxClass"] = s.sandbox_class;
  object["daemonVersion"] = nullable(s.daemon_version);
  object["runnerId"] = s.runner_id.empty() ? bj::value(nullptr) : bj::value(s.runner_id);
  object["toolboxProxyUrl"] = toolbox_url(config);
}

// The first versions whose SDKs know the states in question.
constexpr int kKnowsForking = 165;
constexpr int kKnowsPausing = 189;

// N of the SDK's version 0.N.x; the highest where it says none or one that is not of this line.
int sdk_minor(const net::RequestHead& head) {
  constexpr int kNewest = std::numeric_limits<int>::max();
  const auto header = head.headers.find("X-Daytona-SDK-Version");
  if (!header || header->find("dev") != std::string_view::npos) return kNewest;
  std::string_view text = *header;
  if (text.starts_with('v')) text.remove_prefix(1);
  if (!text.starts_with("0.")) return kNewest;
  text.remove_prefix(2);
  int minor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), minor);
  return error == std::errc() ? minor : kNewest;
}

}  // namespace

void use_known_states(bj::object& sandbox, const net::RequestHead& head) {
  const int minor = sdk_minor(head);
  if (minor >= kKnowsPausing) return;
  struct Row {
    const char* field;
    const char* state;
    int known_since;
    const char* instead;
  };
  static constexpr Row kRows[] = {
      {"state", "paused", kKnowsPausing, "stopped"},       {"state", "pausing", kKnowsPausing, "stopping"},
      {"state", "resuming", kKnowsPausing, "starting"},    {"state", "forking", kKnowsForking, "unknown"},
      {"state", "snapshotting", kKnowsForking, "unknown"}, {"desiredState", "paused", kKnowsPausing, "stopped"},
  };
  for (const Row& row : kRows) {
    bj::value& told = sandbox.at(row.field);
    if (minor < row.known_since && told == row.state) told = row.instead;
  }
}

std::string ssh_command(const control::ControlConfig& config, const std::string& token) {
  const std::string port = config.ssh_port == 22 ? "" : "-p " + std::to_string(config.ssh_port) + " ";
  return "ssh " + port + token + "@" + config.ssh_host;
}

std::string toolbox_url(const control::ControlConfig& config) { return config.public_url + "/toolbox"; }

bj::object sandbox_json(const control::ControlConfig& config, const model::Sandbox& s) {
  bj::object object;
  object.reserve(40);
  add_identity(object, s);
  object["env"] = text_map(s.env);
  add_resources(object, s);
  object["public"] = s.is_public;
  add_network(object, s);
  object["kvm"] = false;
  object["labels"] = text_map(s.labels);
  bj::array volumes;
  for (const auto& volume : s.volumes) {
    bj::object mount{{"volumeId", volume.volume_id}, {"mountPath", volume.mount_path}};
    if (!volume.subpath.empty()) mount["subpath"] = volume.subpath;
    volumes.push_back(std::move(mount));
  }
  object["volumes"] = std::move(volumes);
  add_state(object, s);
  object["backupState"] = bj::string(model::to_text(s.backup_state));
  if (s.backup_created_at) object["backupCreatedAt"] = iso8601(*s.backup_created_at);
  add_intervals(object, s);
  add_times(object, s);
  if (s.linked_sandbox_id) object["linkedSandboxId"] = *s.linked_sandbox_id;
  add_place(object, config, s);
  return object;
}

bj::object sandbox_item_json(const control::ControlConfig& config, const model::Sandbox& s) {
  bj::object object;
  object.reserve(36);
  add_identity(object, s);
  add_state(object, s);
  add_resources(object, s);
  object["public"] = s.is_public;
  add_network(object, s);
  object["labels"] = text_map(s.labels);
  object["backupState"] = bj::string(model::to_text(s.backup_state));
  add_intervals(object, s);
  add_times(object, s);
  add_place(object, config, s);
  return object;
}

}  // namespace sebring::api
