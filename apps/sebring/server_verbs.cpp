#include "server_verbs.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "cli/config_view.h"
#include "cli/doctor.h"
#include "cli/quickstart.h"
#include "down.h"
#include "supervisor.h"

namespace sebring {

using cli::Output;

ServerVerbs::ServerVerbs(Parser& parser) : parser_(parser) {
  add_up();
  add_role("control", "run only the API, proxy and gateways", stand_alone_control, run_control);
  add_role("runner", "run only the sandboxes of this machine", stand_alone_runner, run_runner);
  add_machine();
  add_information();
  add_keys();
}

void ServerVerbs::add_up() {
  CLI::App* up = parser_.add(
      "up", "run the whole server in the foreground",
      parser_.with_settings([this](config::Loaded loaded) { return run_up(std::move(loaded.config), up_); }));
  up->add_flag("--show-key", up_.show_key, "print the API key and first steps also when this is not the first start");
  parser_.add_settings(up);
  CLI::App* down = parser_.add("down", "stop the server with this data directory",
                               parser_.with_settings([this](config::Loaded loaded) {
                                 auto stopped = stop_server(loaded.config.data_dir);
                                 return stopped ? cli::kOk : parser_.output().fail(stopped.error());
                               }));
  parser_.add_settings(down);
}

int ServerVerbs::run_role(config::Config config, const std::string& name, Alone alone, int (*run)(RoleInput)) {
  auto input = instance_.empty() ? alone(std::move(config)) : inherit_role(name, instance_, sockets_);
  return input ? run(*std::move(input)) : parser_.output().fail(input.error(), kDoNotRestart);
}

void ServerVerbs::add_role(const std::string& name, const std::string& description, Alone alone,
                           int (*run)(RoleInput)) {
  CLI::App* role = parser_.add(name, description, [=, this] {
    // Inherited settings are complete; the environment is not looked at again.
    if (!instance_.empty()) return run_role({}, name, alone, run);
    return parser_.with_settings(
        [=, this](config::Loaded loaded) { return run_role(std::move(loaded.config), name, alone, run); })();
  });
  role->add_option("--instance", instance_)->group("");
  role->add_option("--sockets", sockets_)->group("");
  parser_.add_settings(role);
}

void ServerVerbs::add_machine() {
  CLI::App* doctor = parser_.add("doctor", "what this machine lacks, what it costs, and how to mend it",
                                 parser_.with_settings([this](config::Loaded loaded) {
                                   auto findings = cli::examine(loaded.config);
                                   const Output output = parser_.output();
                                   if (output.json) {
                                     output.write_json(cli::findings_json(findings));
                                   } else {
                                     output.write(cli::render_findings(findings, !brief_));
                                   }
                                   return cli::can_run(findings) ? cli::kOk : cli::kFailed;
                                 }));
  parser_.add_json(doctor);
  doctor->add_flag("--brief", brief_, "only what is not good");
  parser_.add_settings(doctor);
  CLI::App* config = parser_.add("config", "settings in force, and where each comes from",
                                 parser_.with_settings([this](config::Loaded loaded) {
                                   const Output output = parser_.output();
                                   if (output.json) {
                                     output.write_json(cli::config_json(loaded));
                                   } else {
                                     output.write(cli::render_config(loaded, verbose_));
                                   }
                                   return cli::kOk;
                                 }));
  parser_.add_json(config);
  config->add_flag("-v,--verbose", verbose_, "also what each setting means and may be");
  parser_.add_settings(config);
}

void ServerVerbs::add_information() {
  parser_.add_json(parser_.add("version", "version of this program", [this] {
    const Output output = parser_.output();
    if (output.json) {
      output.write_json(boost::json::object{{"version", SEBRING_VERSION}});
    } else {
      output.write("sebring " SEBRING_VERSION "\n");
    }
    return cli::kOk;
  }));
  parser_.add_api_flags(
      parser_.add("quickstart", "first steps with the SDKs", parser_.with_api([](auto& api, auto& output) {
        output.write(cli::quickstart(api.profile().url, api.profile().key));
        return cli::kOk;
      })));
}

void ServerVerbs::add_keys() {
  CLI::App* key = parser_.add_group("key", "API keys; on the server's machine, as root");
  CLI::App* create = parser_.add(
      "create", "make a key; its value is shown once",
      parser_.with_admin([this](auto& socket, auto& output) { return cli::create_key(socket, output, key_); }), key);
  create->add_option("NAME", key_.name, "name of the key")->required();
  create->add_option("--permission", key_.permissions, "only this one; may be repeated (default: all)");
  create->add_option("--expires-days", key_.expires_days, "valid for so many days (default: for ever)")
      ->check(CLI::Range(1, 36'500));
  CLI::App* list = parser_.add("list", "list keys", parser_.with_admin(cli::list_keys), key);
  CLI::App* erase = parser_.add("delete", "revoke a key", parser_.with_admin([this](auto& socket, auto& output) {
    return cli::delete_key(socket, output, key_.name);
  }),
                                key);
  erase->add_option("NAME", key_.name, "name of the key")->required();
  for (CLI::App* one : {create, list, erase}) parser_.add_admin_flags(one);
}

}  // namespace sebring
