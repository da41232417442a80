#include "verbs.h"

#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "bring_up.h"
#include "cli/config_view.h"
#include "cli/copy_command.h"
#include "cli/doctor.h"
#include "cli/exec_arguments.h"
#include "cli/exec_command.h"
#include "cli/key_commands.h"
#include "cli/logs_command.h"
#include "cli/quickstart.h"
#include "cli/reach_commands.h"
#include "cli/sandbox_commands.h"
#include "cli/snapshot_commands.h"
#include "config/load.h"
#include "role.h"
#include "up.h"

namespace sebring {
namespace {

using cli::Output;

// Values of the flags of one invocation. Lives as long as the parser, which writes into it.
struct Flags {
  bool json = false;
  std::string data_dir, url, api_key, config_file;
  std::map<std::string, std::string, std::less<>> settings;

  Output output() const { return Output{.json = json}; }
};

std::optional<std::string> given(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

Result<config::Loaded> load_settings(const Flags& flags) {
  config::Sources sources;
  for (const auto& [name, value] : flags.settings) sources.flags.emplace_back(name, value);
  sources.environment = config::current_environment();
  sources.file = given(flags.config_file);
  return config::load(sources);
}

void add_settings(CLI::App& command, Flags& flags) {
  command.add_option("--config", flags.config_file, "file with settings (default: DATA-DIR/sebring.conf)");
  for (const config::Setting& setting : config::settings()) {
    auto* option = command.add_option_function<std::string>(
        "--" + std::string(setting.name),
        [&flags, name = std::string(setting.name)](const std::string& value) { flags.settings[name] = value; },
        std::string(setting.description));
    if (!setting.default_text.empty()) option->default_str(std::string(setting.default_text));
    option->type_name(config::allowed_values(setting));
    option->group("Settings");
    if (setting.kind == config::Kind::boolean) option->expected(0, 1)->default_str("true");
  }
}

void add_json(CLI::App& command, Flags& flags) { command.add_flag("--json", flags.json, "print JSON"); }

void add_api(CLI::App& command, Flags& flags) {
  add_json(command, flags);
  command.add_option("--data-dir", flags.data_dir, "use the profile of the server with this data directory");
  command.add_option("--url", flags.url, "URL of the API (also SEBRING_API_URL, DAYTONA_API_URL)");
  command.add_option("--api-key", flags.api_key, "API key (also SEBRING_API_KEY, DAYTONA_API_KEY)");
}

std::string home_directory() {
  if (const char* home = std::getenv("HOME"); home && *home == '/') return home;
  const passwd* entry = ::getpwuid(::getuid());
  return entry ? entry->pw_dir : "";
}

Result<cli::ApiClient> connect(const Flags& flags) {
  SB_TRY(cli::Profile profile, cli::find_profile({.url = given(flags.url),
                                                  .key = given(flags.api_key),
                                                  .data_dir = given(flags.data_dir),
                                                  .home = home_directory(),
                                                  .environment = config::current_environment()}));
  return cli::ApiClient::make(std::move(profile));
}

// Runs a verb that needs the API.
template <class Verb>
int with_api(const Flags& flags, Verb verb, int failed = cli::kFailed) {
  const Output output = flags.output();
  auto api = connect(flags);
  if (!api) return output.fail(api.error(), failed);
  return verb(*api, output);
}

class CommandLine {
 public:
  CommandLine() {
    app_.require_subcommand(1);
    add_server();
    add_machine();
    add_sandboxes();
    add_exec();
    add_snapshots();
    add_reach();
    add_files();
    add_keys();
  }

  int run(std::vector<std::string> arguments) {
    if (!arguments.empty() && arguments[0] == "exec") {
      auto split = cli::split_exec_arguments({arguments.begin() + 1, arguments.end()});
      exec_.command = std::move(split.command);
      arguments.resize(1);
      arguments.insert(arguments.end(), split.ours.begin(), split.ours.end());
    }
    if (arguments.empty()) arguments = {"--help"};
    // The parser would only say that a subcommand is required.
    if (!arguments[0].starts_with('-') && !knows(arguments[0]))
      return flags_.output().fail(
          Error(Errc::invalid_argument, "there is no command \"" + arguments[0] + "\"; `sebring --help` lists all"),
          cli::kUsage);
    std::reverse(arguments.begin(), arguments.end());  // what CLI11 wants
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? cli::kOk : cli::kUsage;
    }
    return action_ ? action_() : cli::kUsage;
  }

 private:
  bool knows(const std::string& name) const {
    return std::ranges::any_of(app_.get_subcommands([](const CLI::App*) { return true; }),
                               [&](const CLI::App* one) { return one->get_name() == name; });
  }

  CLI::App* command(const std::string& name, const std::string& description, std::function<int()> action) {
    CLI::App* out = app_.add_subcommand(name, description);
    out->callback([this, action = std::move(action)] { action_ = action; });
    return out;
  }

  // `run` gets the settings in force.
  template <class Run>
  std::function<int()> with_settings(Run run) {
    return [this, run] {
      auto loaded = load_settings(flags_);
      if (!loaded) return flags_.output().fail(loaded.error(), cli::kUsage);
      return run(*std::move(loaded));
    };
  }

  template <class Make>
  int run_role(config::Config config, std::string_view name, std::size_t sockets, Make alone, int (*run)(RoleInput)) {
    auto input = instance_.empty() ? alone(std::move(config)) : inherit_role(std::string(name), instance_, sockets);
    if (!input) return flags_.output().fail(input.error(), 78);
    return run(*std::move(input));
  }

  void add_role(const std::string& name, const std::string& description, std::size_t sockets,
                Result<RoleInput> (*alone)(config::Config), int (*run)(RoleInput)) {
    CLI::App* role = command(name, description, [this, name, sockets, alone, run] {
      // Inherited settings are complete; the environment is not looked at again.
      if (!instance_.empty()) return run_role({}, name, sockets, alone, run);
      return with_settings(
          [=, this](config::Loaded loaded) { return run_role(std::move(loaded.config), name, sockets, alone, run); })();
    });
    role->add_option("--instance", instance_)->group("");
    add_settings(*role, flags_);
  }

  void add_server() {
    CLI::App* up =
        command("up", "run the whole server in the foreground",
                with_settings([this](config::Loaded loaded) { return run_up(std::move(loaded.config), up_); }));
    up->add_flag("--show-key", up_.show_key, "print the API key and first steps also when this is not the first start");
    add_settings(*up, flags_);
    add_role("control", "run only the API, proxy and gateways", 1, stand_alone_control, run_control);
    add_role("runner", "run only the sandboxes of this machine", 2, stand_alone_runner, run_runner);
  }

  void add_machine() {
    CLI::App* doctor = command("doctor", "what this machine lacks, what it costs, and how to mend it",
                               with_settings([this](config::Loaded loaded) {
                                 auto findings = cli::examine(loaded.config);
                                 const Output output = flags_.output();
                                 if (output.json) {
                                   output.write_json(cli::findings_json(findings));
                                 } else {
                                   output.write(cli::render_findings(findings, !brief_));
                                 }
                                 return cli::can_run(findings) ? cli::kOk : cli::kFailed;
                               }));
    add_json(*doctor, flags_);
    doctor->add_flag("--brief", brief_, "only what is not good");
    add_settings(*doctor, flags_);

    CLI::App* config =
        command("config", "settings in force, and where each comes from", with_settings([this](config::Loaded loaded) {
                  const Output output = flags_.output();
                  if (output.json) {
                    output.write_json(cli::config_json(loaded));
                  } else {
                    output.write(cli::render_config(loaded, verbose_));
                  }
                  return cli::kOk;
                }));
    add_json(*config, flags_);
    config->add_flag("-v,--verbose", verbose_, "also what each setting means and may be");
    add_settings(*config, flags_);

    add_json(*command("version", "version of this program",
                      [this] {
                        if (flags_.json) {
                          flags_.output().write_json(boost::json::object{{"version", SEBRING_VERSION}});
                        } else {
                          flags_.output().write("sebring " SEBRING_VERSION "\n");
                        }
                        return cli::kOk;
                      }),
             flags_);

    add_api(*command("quickstart", "first steps with the SDKs",
                     [this] {
                       return with_api(flags_, [](cli::ApiClient& api, const Output& output) {
                         output.write(cli::quickstart(api.profile().url, api.profile().key));
                         return cli::kOk;
                       });
                     }),
            flags_);
  }

  void add_sandboxes() {
    CLI::App* create = command("create", "create a sandbox", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::create_sandbox(api, output, create_); });
    });
    add_api(*create, flags_);
    add_create_flags(*create);

    CLI::App* list = command("list", "list sandboxes", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::list_sandboxes(api, output, list_); });
    });
    add_api(*list, flags_);
    list->add_option("-l,--limit", list_.limit, "at most so many")->check(CLI::Range(1, 1'000'000));
    list->add_option("--cursor", list_.cursor, "go on where an earlier list ended");
    list->add_option("--label", list_.labels, "KEY=VALUE; several must all match");
    list->add_option("--state", list_.states, "only in this state; may be repeated");
    list->add_option("--name", list_.name, "only names that begin so");

    CLI::App* info = command("info", "show one sandbox", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::show_sandbox(api, output, box_); });
    });
    add_api(*info, flags_);
    info->add_option("SANDBOX", box_, "id or name")->required();

    CLI::App* start = command("start", "start stopped sandboxes", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::start_sandboxes(api, output, boxes_); });
    });
    CLI::App* stop = command("stop", "stop sandboxes; their disks stay", [this] {
      return with_api(flags_,
                      [this](auto& api, auto& output) { return cli::stop_sandboxes(api, output, boxes_, force_); });
    });
    stop->add_flag("-f,--force", force_, "kill at once");
    for (CLI::App* one : {start, stop}) {
      add_api(*one, flags_);
      one->add_option("SANDBOX", boxes_, "ids or names")->required();
    }

    CLI::App* erase = command("delete", "delete sandboxes and their disks", [this] {
      return with_api(flags_,
                      [this](auto& api, auto& output) { return cli::delete_sandboxes(api, output, boxes_, all_); });
    });
    add_api(*erase, flags_);
    auto* all = erase->add_flag("-a,--all", all_, "all sandboxes that this key may see");
    erase->add_option("SANDBOX", boxes_, "ids or names")->excludes(all);
    erase->preparse_callback([](std::size_t left) {
      if (left == 0) throw CLI::RequiredError("SANDBOX or --all");
    });
  }

  void add_create_flags(CLI::App& create) {
    create.add_option("--name", create_.name, "name; by default the id");
    create.add_option("--snapshot", create_.snapshot, "snapshot to start from");
    create.add_option("--class", create_.size, "small, medium or large: the snapshot of that size")
        ->check(CLI::IsMember({"small", "medium", "large"}));
    create.add_option("-f,--dockerfile", create_.dockerfile, "build from this file; without files of a context");
    create.add_option("--user", create_.user, "user that commands run as");
    create.add_option("--target", create_.target, "region");
    create.add_option("-e,--env", create_.env, "KEY=VALUE for all processes; may be repeated");
    create.add_option("-l,--label", create_.labels, "KEY=VALUE; may be repeated");
    create.add_option("-v,--volume", create_.volumes, "VOLUME:PATH; may be repeated");
    create.add_flag("--public", create_.is_public, "previews need no token");
    create.add_option("--cpu", create_.cpu, "CPUs");
    create.add_option("--gpu", create_.gpu, "GPUs");
    create.add_option("--memory", create_.memory, "GiB of memory");
    create.add_option("--disk", create_.disk, "GiB of disk");
    create.add_option("--auto-stop", create_.auto_stop, "stop after so many minutes without use; 0 is never");
    create.add_option("--auto-archive", create_.auto_archive, "archive after so many minutes stopped");
    create.add_option("--auto-delete", create_.auto_delete,
                      "delete after so many minutes stopped; 0 at once, -1 never");
    create.add_flag("--network-block-all", create_.network_block_all, "no network");
    create.add_option("--network-allow-list", create_.network_allow_list, "only these networks: CIDR,CIDR");
    create.add_option("--domain-allow-list", create_.domain_allow_list, "only these domains: a.example,*.b.example");
  }

  void add_exec() {
    CLI::App* exec = command("exec", "run a command in a sandbox: exec SANDBOX [flags] [--] COMMAND...", [this] {
      if (exec_.command.empty())
        return flags_.output().fail(Error(Errc::invalid_argument, "exec: no command given"), cli::kUsage);
      return with_api(
          flags_, [this](auto& api, auto& output) { return cli::exec_in_sandbox(api, output, exec_); },
          cli::kExecFailed);
    });
    add_api(*exec, flags_);
    exec->add_option("SANDBOX", exec_.box, "id or name")->required();
    exec->add_option("--cwd", exec_.cwd, "working directory");
    exec->add_option("-e,--env", exec_.env, "KEY=VALUE; may be repeated");
    exec->add_option("--timeout", exec_.timeout_s, "kill it after so many seconds")->check(CLI::PositiveNumber);
  }

  void add_snapshots() {
    CLI::App* snapshot = app_.add_subcommand("snapshot", "snapshots that sandboxes start from");
    snapshot->require_subcommand(1);
    CLI::App* list = snapshot->add_subcommand("list", "list snapshots");
    list->callback([this] {
      action_ = [this] {
        return with_api(flags_,
                        [this](auto& api, auto& output) { return cli::list_snapshots(api, output, snapshots_); });
      };
    });
    add_api(*list, flags_);
    list->add_option("-p,--page", snapshots_.page, "page, from 1")->check(CLI::PositiveNumber);
    list->add_option("-l,--limit", snapshots_.limit, "per page")->check(CLI::Range(1, 200));
    list->add_option("--name", snapshots_.name, "only names that contain this");
  }

  void add_reach() {
    CLI::App* preview = command("preview-url", "URL of a port of a sandbox, signed, for a browser", [this] {
      return with_api(flags_,
                      [this](auto& api, auto& output) { return cli::print_preview_url(api, output, preview_); });
    });
    add_api(*preview, flags_);
    preview->add_option("SANDBOX", preview_.box, "id or name")->required();
    preview->add_option("-p,--port", preview_.port, "port in the sandbox")->required()->check(CLI::Range(1, 65535));
    preview->add_option("--expires", preview_.expires_s, "valid for so many seconds")->check(CLI::Range(1, 86400));

    CLI::App* ssh = command("ssh", "open a shell over SSH", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::open_ssh(api, output, ssh_); });
    });
    add_api(*ssh, flags_);
    ssh->add_option("SANDBOX", ssh_.box, "id or name")->required();
    ssh->add_option("--expires", ssh_.expires_minutes, "access ends after so many minutes")
        ->check(CLI::Range(1, 525'600));
  }

  void add_files() {
    CLI::App* copy = command("cp", "copy files and directories: cp FROM TO, one of them SANDBOX:PATH", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::copy_files(api, output, from_, to_); });
    });
    add_api(*copy, flags_);
    copy->add_option("FROM", from_, "PATH, SANDBOX:PATH, or - for standard input")->required();
    copy->add_option("TO", to_, "PATH, SANDBOX:PATH, or - for standard output")->required();

    CLI::App* logs = command("logs", "what the entrypoint, or a session's command, wrote", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::print_logs(api, output, logs_); });
    });
    add_api(*logs, flags_);
    logs->add_option("SANDBOX", logs_.box, "id or name")->required();
    logs->add_flag("-f,--follow", logs_.follow, "go on until it ends");
    auto* session = logs->add_option("--session", logs_.session, "session instead of the entrypoint's");
    auto* which = logs->add_option("--command", logs_.command, "command of that session");
    session->needs(which);
    which->needs(session);

    CLI::App* forward = command("port-forward", "make a port of a sandbox one of this machine", [this] {
      return with_api(flags_, [this](auto& api, auto& output) { return cli::forward_port(api, output, forward_); });
    });
    add_api(*forward, flags_);
    forward->add_option("SANDBOX", forward_.box, "id or name")->required();
    forward->add_option("PORTS", forward_.ports, "LOCAL:REMOTE, or one port for both")->required();
    forward->add_option("--expires", forward_.expires_minutes, "access ends after so many minutes")
        ->check(CLI::Range(1, 525'600));
  }

  // Runs `verb` with the administration socket of the server in question.
  template <class Verb>
  std::function<int()> with_admin(Verb verb) {
    return [this, verb] {
      if (!flags_.data_dir.empty()) flags_.settings["data-dir"] = flags_.data_dir;
      auto loaded = load_settings(flags_);
      if (!loaded) return flags_.output().fail(loaded.error(), cli::kUsage);
      auto socket = cli::find_admin_socket(loaded->config.data_dir, loaded->config.run_dir);
      if (!socket) return flags_.output().fail(socket.error());
      return verb(*socket, flags_.output());
    };
  }

  CLI::App* key_command(CLI::App& key, const std::string& name, const std::string& description,
                        std::function<int()> action) {
    CLI::App* out = key.add_subcommand(name, description);
    out->callback([this, action = std::move(action)] { action_ = action; });
    add_json(*out, flags_);
    out->add_option("--data-dir", flags_.data_dir, "of the server");
    return out;
  }

  void add_keys() {
    CLI::App* key = app_.add_subcommand("key", "API keys; on the server's machine, as root");
    key->require_subcommand(1);
    CLI::App* create = key_command(*key, "create", "make a key; its value is shown once",
                                   with_admin([this](const std::string& socket, const Output& output) {
                                     return cli::create_key(socket, output, key_);
                                   }));
    create->add_option("NAME", key_.name, "name of the key")->required();
    create->add_option("--permission", key_.permissions, "only this one; may be repeated (default: all)");
    create->add_option("--expires-days", key_.expires_days, "valid for so many days (default: for ever)")
        ->check(CLI::Range(1, 36'500));
    key_command(*key, "list", "list keys", with_admin([](const std::string& socket, const Output& output) {
      return cli::list_keys(socket, output);
    }));
    CLI::App* erase =
        key_command(*key, "delete", "revoke a key", with_admin([this](const std::string& socket, const Output& output) {
          return cli::delete_key(socket, output, key_.name);
        }));
    erase->add_option("NAME", key_.name, "name of the key")->required();
  }

  CLI::App app_{"sebring: a sandbox platform that speaks the Daytona API", "sebring"};
  std::function<int()> action_;
  Flags flags_;
  UpOptions up_;
  std::string instance_, box_;
  std::vector<std::string> boxes_;
  bool brief_ = false, verbose_ = false, force_ = false, all_ = false;
  cli::CreateOptions create_;
  cli::ListOptions list_;
  cli::ExecOptions exec_;
  cli::SnapshotListOptions snapshots_;
  cli::PreviewOptions preview_;
  cli::SshOptions ssh_;
  cli::ForwardOptions forward_;
  cli::LogsOptions logs_;
  std::string from_, to_;
  cli::KeyCreateOptions key_;
};

}  // namespace

int run_command_line(std::vector<std::string> arguments) { return CommandLine().run(std::move(arguments)); }

}  // namespace sebring
