#include "config/load.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "config/config_file.h"

extern char** environ;

namespace sebring::config {
namespace {

// Variables of ours that are no settings: of the clients, and of the scripts in the source tree.
constexpr std::string_view kOtherVariables[] = {"SEBRING_CONFIG",  "SEBRING_API_KEY", "SEBRING_API_URL",
                                                "SEBRING_PROFILE", "SEBRING_CACHE",   "SEBRING_BUILD_TYPE"};

Result<std::string> read_text(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail_errno(errno ? errno : EIO, "open " + path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return fail_errno(EIO, "read " + path);
  return text;
}

struct Given {
  const Setting* setting;
  std::string text;
  Origin origin;
  std::string where;
};

Result<std::vector<Given>> from_file(const std::string& path) {
  SB_TRY(std::string text, read_text(path));
  SB_TRY(std::vector<FileLine> lines, parse_file(text, path));
  std::vector<Given> out;
  for (FileLine& line : lines) {
    std::string place = path + ":" + std::to_string(line.line);
    const Setting* setting = find_setting(line.name);
    if (!setting)
      return fail(Errc::invalid_argument,
                  place + ": unknown setting \"" + to_valid_utf8(line.name) + "\"; `sebring config` lists all");
    out.push_back({setting, std::move(line.value), Origin::file, std::move(place)});
  }
  return out;
}

Result<std::vector<Given>> from_environment(const std::vector<NameValue>& environment) {
  std::vector<Given> out;
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("SEBRING_") || std::ranges::find(kOtherVariables, name) != std::end(kOtherVariables))
      continue;
    const Setting* found = nullptr;
    for (const Setting& setting : settings())
      if (environment_name(setting) == name) found = &setting;
    if (!found)
      return fail(Errc::invalid_argument, "environment: unknown setting " + name + "; `sebring config` lists all");
    out.push_back({found, value, Origin::environment, name});
  }
  return out;
}

Result<std::vector<Given>> from_flags(const std::vector<NameValue>& flags) {
  std::vector<Given> out;
  for (const auto& [name, value] : flags) {
    const Setting* setting = find_setting(name);
    if (!setting) return fail(Errc::invalid_argument, "unknown setting --" + name);
    out.push_back({setting, value, Origin::flag, "--" + name});
  }
  return out;
}

Result<void> apply(Loaded& loaded, const std::vector<Given>& given) {
  for (const Given& one : given) {
    auto text = normalise(*one.setting, one.text);
    if (!text) return fail(std::move(text).error().while_doing(one.where));
    loaded.values[static_cast<std::size_t>(one.setting - settings().data())] = {*std::move(text), one.origin,
                                                                                one.where};
    assign(loaded.config, *one.setting, loaded.values[static_cast<std::size_t>(one.setting - settings().data())].text);
  }
  return {};
}

Loaded defaults() {
  Loaded out;
  for (const Setting& setting : settings()) {
    out.values.push_back({std::string(setting.default_text), Origin::default_value, "default"});
    assign(out.config, setting, setting.default_text);
  }
  return out;
}

std::optional<std::string> find_variable(const std::vector<NameValue>& environment, std::string_view name) {
  for (const auto& [key, value] : environment)
    if (key == name && !value.empty()) return value;
  return std::nullopt;
}

}  // namespace

Result<Loaded> load(const Sources& sources) {
  SB_TRY(std::vector<Given> environment, from_environment(sources.environment));
  SB_TRY(std::vector<Given> flags, from_flags(sources.flags));
  // Twice: the place of the default file depends on data-dir, which the file itself must not move then.
  Loaded without_file = defaults();
  SB_CHECK(apply(without_file, environment));
  SB_CHECK(apply(without_file, flags));

  std::optional<std::string> file = sources.file;
  if (!file) file = find_variable(sources.environment, "SEBRING_CONFIG");
  const std::string usual = without_file.config.data_dir + "/sebring.conf";
  const bool named = file.has_value();
  if (!named) file = usual;

  auto lines = from_file(*file);
  if (!lines && !named && lines.error().code() == Errc::not_found) return without_file;
  if (!lines) return fail(std::move(lines).error());

  Loaded out = defaults();
  out.file = *file;
  SB_CHECK(apply(out, *lines));
  const Origin moved = out.values[static_cast<std::size_t>(find_setting("data-dir") - settings().data())].origin;
  if (!named && moved == Origin::file && out.config.data_dir != without_file.config.data_dir)
    return fail(Errc::invalid_argument, usual + ": data-dir can not be set in the file that lies in it; use --config");
  SB_CHECK(apply(out, environment));
  SB_CHECK(apply(out, flags));
  return out;
}

std::string serialise(const Config& config) {
  std::string out;
  for (const Setting& setting : settings()) {
    out += std::string(setting.name) + " = ";
    if (auto text = std::get_if<std::string Config::*>(&setting.member)) {
      out += config.**text;
    } else if (auto number = std::get_if<std::int64_t Config::*>(&setting.member)) {
      out += std::to_string(config.**number);
    } else {
      out += config.*std::get<bool Config::*>(setting.member) ? "true" : "false";
    }
    out += '\n';
  }
  return out;
}

Result<Config> deserialise(std::string_view text) {
  SB_TRY(std::vector<FileLine> lines, parse_file(text, "settings"));
  Loaded out = defaults();
  for (const FileLine& line : lines) {
    const Setting* setting = find_setting(line.name);
    if (!setting) return fail(Errc::invalid_argument, "unknown setting " + line.name);
    SB_TRY(std::string value, normalise(*setting, line.value));
    assign(out.config, *setting, value);
  }
  return std::move(out.config);
}

std::vector<NameValue> current_environment() {
  std::vector<NameValue> out;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text = *entry;
    std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

}  // namespace sebring::config
