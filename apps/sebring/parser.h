#pragma once
// The one command line parser and what all subcommands share: flags for JSON, settings, the API. Groups of subcommands
// (server_verbs.h, sandbox_verbs.h, reach_verbs.h) add themselves; main reads them all together in verbs.cpp.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/api_client.h"
#include "cli/output.h"
#include "config/load.h"

namespace CLI {
class App;
}

namespace sebring {

class Parser {
 public:
  using Action = std::function<int()>;
  using ApiVerb = std::function<int(cli::ApiClient&, const cli::Output&)>;
  using SettingsVerb = std::function<int(config::Loaded)>;
  using AdminVerb = std::function<int(const std::string& socket, const cli::Output&)>;

  Parser();
  Parser(const Parser&) = delete;
  ~Parser();

  // A subcommand, below `parent` or at the top. `action` is what it does when it was chosen.
  CLI::App* add(const std::string& name, const std::string& description, Action action, CLI::App* parent = nullptr);
  // A subcommand that only holds others.
  CLI::App* add_group(const std::string& name, const std::string& description);

  // What a subcommand needs to run; each says on its own what went wrong and gives the exit code then.
  Action with_api(ApiVerb verb, int failed = cli::kFailed);
  Action with_settings(SettingsVerb verb);
  // With the administration socket of the server in question.
  Action with_admin(AdminVerb verb);

  void add_json(CLI::App* command);
  void add_api_flags(CLI::App* command);    // --json --data-dir --url --api-key
  void add_admin_flags(CLI::App* command);  // --json --data-dir
  void add_settings(CLI::App* command);     // --config and one flag per setting

  cli::Output output() { return cli::Output{.json = json_, .write_error = &write_error_}; }
  // Parses and runs the chosen action. `arguments` without the program's name. What was done but could not be told is
  // a failure too.
  int run(std::vector<std::string> arguments);

 private:
  bool knows(const std::string& name) const;
  Result<config::Loaded> load_settings() const;
  Result<cli::ApiClient> connect() const;

  std::unique_ptr<CLI::App> app_;
  Action action_;
  bool json_ = false;
  int write_error_ = 0;
  std::string data_dir_, url_, api_key_, config_file_;
  std::map<std::string, std::string> settings_;
};

}  // namespace sebring
