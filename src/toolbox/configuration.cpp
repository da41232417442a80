#include "toolbox/configuration.h"

#include <boost/json.hpp>

#include "json/json.h"

namespace sebring::toolbox {

bool is_environment_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!good) return false;
  }
  return true;
}

Result<Configuration> parse_configuration(std::string_view json) {
  SB_TRY(const json::bj::object object, json::parse_object(json));
  json::ObjectReader reader(object);
  Configuration configuration;
  configuration.sandbox_id = reader.required_text("sandboxId");
  configuration.version = reader.text("version").value_or("");
  configuration.user = reader.text("user").value_or("");
  configuration.work_dir = reader.text("workDir").value_or("");
  configuration.environment = reader.text_map("env").value_or(decltype(configuration.environment){});
  configuration.entrypoint = reader.texts("entrypoint").value_or(std::vector<std::string>{});
  configuration.hostname = reader.text("hostname").value_or("");
  configuration.log_dir = reader.text("logDir").value_or("");
  configuration.cpus = reader.number("cpus").value_or(0);
  configuration.kept_disk = reader.boolean("keptDisk").value_or(false);
  configuration.check_user = reader.boolean("checkUser").value_or(false);
  SB_CHECK(reader.finish());
  if (!configuration.work_dir.empty() && configuration.work_dir[0] != '/') configuration.work_dir.insert(0, "/");
  return configuration;
}

Environment login_environment(const Identity& user) {
  return {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
          {"HOME", user.home},
          {"USER", user.name},
          {"LOGNAME", user.name},
          {"SHELL", user.shell}};
}

namespace {

// Text is UTF-8 unless the image, the sandbox or the request says something of a locale itself. Not by LANG: for its
// other categories, all as in "C", every shell would open and map a dozen files at its start, a seventh of its time.
constexpr const char* kTextIsUtf8 = "LC_CTYPE=C.UTF-8";

bool names_locale(const Environment& environment) {
  return environment.contains("LANG") || environment.contains("LC_ALL") || environment.contains("LC_CTYPE");
}

}  // namespace

Result<std::vector<std::string>> environment_of(const Context& context,
                                                const std::vector<std::pair<std::string, std::string>>& extra) {
  const Environment* merged = &context.environment;
  Environment with_extra;
  if (!extra.empty()) {
    with_extra = context.environment;
    for (const auto& [name, value] : extra) {
      if (!is_environment_name(name)) {
        return fail(Errc::invalid_argument, "invalid environment variable name: '" + name + "'");
      }
      with_extra[name] = value;
    }
    merged = &with_extra;
  }
  std::vector<std::string> list;
  list.reserve(merged->size() + 1);
  for (const auto& [name, value] : *merged) list.push_back(name + "=" + value);
  if (!names_locale(*merged)) list.emplace_back(kTextIsUtf8);
  return list;
}

}  // namespace sebring::toolbox
