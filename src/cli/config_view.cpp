#include "cli/config_view.h"

#include <boost/json.hpp>
#include <variant>

#include "base/text.h"
#include "cli/table.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

std::string_view name_of(config::Origin origin) {
  switch (origin) {
    case config::Origin::default_value:
      return "default";
    case config::Origin::file:
      return "file";
    case config::Origin::environment:
      return "environment";
    case config::Origin::flag:
      return "flag";
  }
  return "";
}

bj::value typed(const config::Setting& setting, const std::string& text) {
  if (std::holds_alternative<std::int64_t config::Config::*>(setting.member)) return parse_integer(text).value_or(0);
  if (std::holds_alternative<bool config::Config::*>(setting.member)) return text == "true";
  return text.empty() ? bj::value() : bj::value(text);
}

}  // namespace

std::string render_config(const config::Loaded& loaded, bool verbose) {
  const auto settings = config::settings();
  if (!verbose) {
    Table table({"SETTING", "VALUE", "FROM"});
    for (std::size_t i = 0; i < settings.size(); ++i)
      table.add({std::string(settings[i].name), loaded.values[i].text.empty() ? "(derived)" : loaded.values[i].text,
                 loaded.values[i].where});
    return table.render();
  }
  std::string out;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const config::Setting& setting = settings[i];
    out += std::string(setting.name) + " = " + printable(loaded.values[i].text) + "\n";
    out += "    from " + printable(loaded.values[i].where) + "; default " +
           (setting.default_text.empty() ? "derived" : std::string(setting.default_text)) + "; " +
           config::allowed_values(setting) + "; " + config::environment_name(setting) + "\n";
    out += "    " + std::string(setting.description) + "\n";
  }
  return out;
}

bj::value config_json(const config::Loaded& loaded) {
  const auto settings = config::settings();
  bj::array list;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const config::Setting& setting = settings[i];
    list.push_back(bj::object{{"name", setting.name},
                              {"value", typed(setting, loaded.values[i].text)},
                              {"origin", name_of(loaded.values[i].origin)},
                              {"where", loaded.values[i].where},
                              {"default", typed(setting, std::string(setting.default_text))},
                              {"allowed", config::allowed_values(setting)},
                              {"environment", config::environment_name(setting)},
                              {"description", setting.description}});
  }
  return bj::object{{"file", loaded.file.empty() ? bj::value() : bj::value(loaded.file)},
                    {"settings", std::move(list)}};
}

}  // namespace sebring::cli
