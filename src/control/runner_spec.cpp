#include "control/runner_spec.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "model/network_rules.h"

namespace sebring::control {
namespace bj = boost::json;
namespace {

// A host name is what the name allows of it: lower-case letters, digits, dashes, at most 63.
std::string hostname_of(const model::Sandbox& sandbox) {
  std::string host;
  for (char c : to_lower(sandbox.name)) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (good) host += c;
    if (!good && !host.empty() && host.back() != '-') host += '-';
    if (host.size() == 63) break;
  }
  while (!host.empty() && host.back() == '-') host.pop_back();
  return host.empty() ? sandbox.id : host;
}

}  // namespace

std::string make_toolbox_configuration(const ControlConfig& config, const model::Sandbox& sandbox, bool kept_disk,
                                       bool check_user) {
  bj::object env;
  for (const auto& [name, value] : sandbox.image.environment) env[name] = value;
  env["DAYTONA_SANDBOX_ID"] = sandbox.id;
  env["DAYTONA_SANDBOX_USER"] = sandbox.user;
  if (sandbox.snapshot) env["DAYTONA_SANDBOX_SNAPSHOT"] = *sandbox.snapshot;
  env["DAYTONA_ORGANIZATION_ID"] = sandbox.organization_id;
  env["DAYTONA_REGION_ID"] = sandbox.region_id;
  for (const auto& [name, value] : sandbox.env) env[name] = value;
  bj::array entrypoint;
  for (const std::string& word : sandbox.image.entrypoint) entrypoint.emplace_back(word);
  bj::object object{
      {"sandboxId", sandbox.id},           {"version", config.version},    {"user", sandbox.user},
      {"workDir", sandbox.image.work_dir}, {"env", std::move(env)},        {"entrypoint", std::move(entrypoint)},
      {"hostname", hostname_of(sandbox)},  {"cpus", sandbox.resources.cpu}};
  // Names of others in /etc/hosts that were of its last life.
  if (kept_disk) object["keptDisk"] = true;
  if (check_user) object["checkUser"] = true;
  return json::serialize(object);
}

RunnerSpec make_runner_spec(const ControlConfig& config, const model::Sandbox& sandbox, bool must_exist,
                            bool check_user) {
  RunnerSpec spec;
  spec.layers = sandbox.image.layers;
  spec.base = sandbox.image.base;
  spec.cpus = sandbox.resources.cpu;
  spec.memory_bytes = sandbox.resources.memory_gib * model::kGiB;
  spec.disk_bytes = sandbox.resources.disk_gib * model::kGiB;
  spec.pids_max = config.pids_max;
  spec.hostname = hostname_of(sandbox);
  spec.block_all = sandbox.network_block_all;
  if (sandbox.network_allow_list) {
    if (auto networks = model::parse_network_list(*sandbox.network_allow_list)) spec.allow = std::move(*networks);
  }
  spec.linked_to = sandbox.linked_sandbox_id.value_or("");
  spec.toolbox = make_toolbox_configuration(config, sandbox, must_exist, check_user);
  spec.must_exist = must_exist;
  return spec;
}

}  // namespace sebring::control
