#include "parser.h"

#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "cli/key_commands.h"
#include "cli/profile.h"

namespace sebring {
namespace {

std::optional<std::string> given(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

std::string home_directory() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads
  if (const char* home = std::getenv("HOME"); home && *home == '/') return home;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads
  const passwd* entry = ::getpwuid(::getuid());
  return entry ? entry->pw_dir : "";
}

}  // namespace

Parser::Parser()
    : app_(std::make_unique<CLI::App>("sebring: a sandbox platform that speaks the Daytona API", "sebring")) {
  app_->set_version_flag("--version", "sebring " SEBRING_VERSION, "version of this program");
  app_->require_subcommand(1);
}
Parser::~Parser() = default;

CLI::App* Parser::add(const std::string& name, const std::string& description, Action action, CLI::App* parent) {
  CLI::App* out = (parent ? parent : app_.get())->add_subcommand(name, description);
  out->callback([this, action = std::move(action)] { action_ = action; });
  return out;
}

CLI::App* Parser::add_group(const std::string& name, const std::string& description) {
  CLI::App* out = app_->add_subcommand(name, description);
  out->require_subcommand(1);
  return out;
}

Parser::Action Parser::with_api(ApiVerb verb, int failed) {
  return [this, verb = std::move(verb), failed] {
    auto api = connect();
    return api ? verb(*api, output()) : output().fail(api.error(), failed);
  };
}

Parser::Action Parser::with_settings(SettingsVerb verb) {
  return [this, verb = std::move(verb)] {
    auto loaded = load_settings();
    return loaded ? verb(*std::move(loaded)) : output().fail(loaded.error(), cli::kUsage);
  };
}

Parser::Action Parser::with_admin(AdminVerb verb) {
  return [this, verb = std::move(verb)] {
    if (!data_dir_.empty()) settings_["data-dir"] = data_dir_;
    auto loaded = load_settings();
    if (!loaded) return output().fail(loaded.error(), cli::kUsage);
    auto socket = cli::find_admin_socket(loaded->config.data_dir, loaded->config.run_dir);
    return socket ? verb(*socket, output()) : output().fail(socket.error());
  };
}

void Parser::add_json(CLI::App* command) { command->add_flag("--json", json_, "print JSON"); }

void Parser::add_api_flags(CLI::App* command) {
  add_json(command);
  command->add_option("--data-dir", data_dir_, "use the profile of the server with this data directory");
  command->add_option("--url", url_, "URL of the API (also SEBRING_API_URL, DAYTONA_API_URL)");
  command->add_option("--api-key", api_key_, "API key (also SEBRING_API_KEY, DAYTONA_API_KEY)");
}

void Parser::add_admin_flags(CLI::App* command) {
  add_json(command);
  command->add_option("--data-dir", data_dir_, "of the server");
}

void Parser::add_settings(CLI::App* command) {
  command->add_option("--config", config_file_, "file with settings (default: DATA-DIR/sebring.conf)");
  for (const config::Setting& setting : config::settings()) {
    auto* option = command->add_option_function<std::string>(
        "--" + std::string(setting.name),
        [this, name = std::string(setting.name)](const std::string& value) { settings_[name] = value; },
        std::string(setting.description));
    if (!setting.default_text.empty()) option->default_str(std::string(setting.default_text));
    option->type_name(config::allowed_values(setting));
    option->group("Settings");
    if (setting.kind == config::Kind::boolean) option->expected(0, 1)->default_str("true");
  }
}

bool Parser::knows(const std::string& name) const {
  return std::ranges::any_of(app_->get_subcommands([](const CLI::App*) { return true; }),
                             [&](const CLI::App* one) { return one->get_name() == name; });
}

Result<config::Loaded> Parser::load_settings() const {
  config::Sources sources;
  for (const auto& [name, value] : settings_) sources.flags.emplace_back(name, value);
  sources.environment = config::current_environment();
  sources.file = given(config_file_);
  return config::load(sources);
}

Result<cli::ApiClient> Parser::connect() const {
  SB_TRY(cli::Profile profile, cli::find_profile({.url = given(url_),
                                                  .key = given(api_key_),
                                                  .data_dir = given(data_dir_),
                                                  .home = home_directory(),
                                                  .environment = config::current_environment()}));
  return cli::ApiClient::make(std::move(profile));
}

int Parser::run(std::vector<std::string> arguments) {
  if (arguments.empty()) arguments = {"--help"};
  // The parser would only say that a subcommand is required.
  if (!arguments[0].starts_with('-') && !knows(arguments[0]))
    return output().fail(
        Error(Errc::invalid_argument, "there is no command \"" + arguments[0] + "\"; `sebring --help` lists all"),
        cli::kUsage);
  std::reverse(arguments.begin(), arguments.end());  // what CLI11 wants
  try {
    app_->parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0 ? cli::kOk : cli::kUsage;
  }
  const int code = action_ ? action_() : cli::kUsage;
  if (code != cli::kOk || write_error_ == 0) return code;
  return output().fail(Error::from_errno(write_error_, "write to standard output"));
}

}  // namespace sebring
