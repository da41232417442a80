#include "cli/sandbox_view.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/api_client.h"
#include "cli/table.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string resources(const bj::object& object) {
  std::string out = field(object, "cpu") + " cpu, " + field(object, "memory");
  out += field(object, "mem") + " GiB, " + field(object, "disk") + " GiB disk";
  std::string gpu = field(object, "gpu");
  return gpu.empty() || gpu == "0" ? out : out + ", " + gpu + " gpu";
}

std::string pairs(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  std::vector<std::string> out;
  if (value && value->is_object())
    for (const auto& [key, text] : value->get_object())
      out.push_back(std::string(key) + "=" + field(value->get_object(), key));
  return join(out, ", ");
}

std::string interval(const bj::object& object, std::string_view name, std::string_view off) {
  std::string minutes = field(object, name);
  return minutes.empty() || minutes == off ? "off" : minutes + " min";
}

}  // namespace

std::string age(std::string_view date, WallMs now) {
  auto then = parse_iso8601(date);
  if (!then) return "-";
  std::int64_t seconds = std::max<std::int64_t>(0, (now - *then) / 1000);
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::string render_sandbox_list(const bj::array& sandboxes, WallMs now) {
  if (sandboxes.empty()) return "No sandboxes. `sebring create` makes one.\n";
  Table table({"NAME", "STATE", "SNAPSHOT", "RESOURCES", "AGE", "ACTIVE", "ID"});
  for (const bj::value& value : sandboxes) {
    if (!value.is_object()) continue;
    const bj::object& one = value.get_object();
    table.add({or_dash(field(one, "name")), or_dash(field(one, "state")), or_dash(field(one, "snapshot")),
               resources(one), age(field(one, "createdAt"), now), age(field(one, "lastActivityAt"), now),
               field(one, "id")});
  }
  return table.render();
}

std::string render_sandbox(const bj::object& sandbox, WallMs now) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {"name", field(sandbox, "name")},
      {"id", field(sandbox, "id")},
      {"state", field(sandbox, "state")},
      {"snapshot", or_dash(field(sandbox, "snapshot"))},
      {"resources", resources(sandbox)},
      {"user", field(sandbox, "user")},
      {"region", field(sandbox, "target")},
      {"class", field(sandbox, "sandboxClass")},
      {"public", field(sandbox, "public")},
      {"created", field(sandbox, "createdAt") + " (" + age(field(sandbox, "createdAt"), now) + " ago)"},
      {"auto-stop", interval(sandbox, "autoStopInterval", "0")},
      {"auto-archive", interval(sandbox, "autoArchiveInterval", "")},
      {"auto-delete", interval(sandbox, "autoDeleteInterval", "-1")},
  };
  if (auto reason = field(sandbox, "errorReason"); !reason.empty())
    fields.insert(fields.begin() + 3, {"reason", reason});
  if (auto labels = pairs(sandbox, "labels"); !labels.empty()) fields.emplace_back("labels", labels);
  if (auto env = pairs(sandbox, "env"); !env.empty()) fields.emplace_back("env", env);
  if (field(sandbox, "networkBlockAll") == "true") fields.emplace_back("network", "blocked");
  if (auto allow = field(sandbox, "networkAllowList"); !allow.empty()) fields.emplace_back("network allow list", allow);
  if (auto allow = field(sandbox, "domainAllowList"); !allow.empty()) fields.emplace_back("domain allow list", allow);
  fields.emplace_back("toolbox", field(sandbox, "toolboxProxyUrl") + "/" + field(sandbox, "id"));
  return render_fields(fields);
}

std::string render_snapshot_list(const bj::array& snapshots, WallMs now) {
  if (snapshots.empty()) return "No snapshots.\n";
  Table table({"NAME", "STATE", "RESOURCES", "IMAGE", "AGE", "ID"});
  for (const bj::value& value : snapshots) {
    if (!value.is_object()) continue;
    const bj::object& one = value.get_object();
    table.add({field(one, "name"), field(one, "state"), resources(one), or_dash(field(one, "imageName")),
               age(field(one, "createdAt"), now), field(one, "id")});
  }
  return table.render();
}

std::string render_key_list(const bj::array& keys, WallMs now) {
  if (keys.empty()) return "No API keys. `sebring key create NAME` makes one.\n";
  Table table({"NAME", "KEY", "CREATED", "LAST USED", "EXPIRES", "PERMISSIONS"});
  for (const bj::value& value : keys) {
    if (!value.is_object()) continue;
    const bj::object& one = value.get_object();
    std::vector<std::string> permissions;
    if (const bj::value* list = one.if_contains("permissions"); list && list->is_array())
      for (const bj::value& permission : list->get_array())
        if (permission.is_string()) permissions.emplace_back(permission.get_string());
    table.add(
        {field(one, "name"), or_dash(field(one, "value")), age(field(one, "createdAt"), now),
         age(field(one, "lastUsedAt"), now), or_dash(field(one, "expiresAt")),
         permissions.size() > 3 ? std::to_string(permissions.size()) + " of them" : or_dash(join(permissions, " "))});
  }
  return table.render();
}

}  // namespace sebring::cli
