#include "reach_verbs.h"

#include <CLI/CLI.hpp>

#include "cli/copy_command.h"

namespace sebring {

ReachVerbs::ReachVerbs(Parser& parser) : parser_(parser) {
  add_reach();
  add_files();
}

void ReachVerbs::add_reach() {
  CLI::App* preview = parser_.add(
      "preview-url", "URL of a port of a sandbox, signed, for a browser",
      parser_.with_api([this](auto& api, auto& output) { return cli::print_preview_url(api, output, preview_); }));
  parser_.add_api_flags(preview);
  preview->add_option("SANDBOX", preview_.box, "id or name")->required();
  preview->add_option("-p,--port", preview_.port, "port in the sandbox")->required()->check(CLI::Range(1, 65535));
  preview->add_option("--expires", preview_.expires_s, "valid for so many seconds")->check(CLI::Range(1, 86400));

  CLI::App* ssh =
      parser_.add("ssh", "open a shell over SSH",
                  parser_.with_api([this](auto& api, auto& output) { return cli::open_ssh(api, output, ssh_); }));
  parser_.add_api_flags(ssh);
  ssh->add_option("SANDBOX", ssh_.box, "id or name")->required();
  ssh->add_option("--expires", ssh_.expires_minutes, "access ends after so many minutes")
      ->check(CLI::Range(1, 525'600));
}

void ReachVerbs::add_files() {
  CLI::App* copy = parser_.add(
      "cp", "copy files and directories: cp FROM TO, one of them SANDBOX:PATH",
      parser_.with_api([this](auto& api, auto& output) { return cli::copy_files(api, output, from_, to_); }));
  parser_.add_api_flags(copy);
  copy->add_option("FROM", from_, "PATH, SANDBOX:PATH, or - for standard input")->required();
  copy->add_option("TO", to_, "PATH, SANDBOX:PATH, or - for standard output")->required();

  CLI::App* logs =
      parser_.add("logs", "what the entrypoint, or a session's command, wrote",
                  parser_.with_api([this](auto& api, auto& output) { return cli::print_logs(api, output, logs_); }));
  parser_.add_api_flags(logs);
  logs->add_option("SANDBOX", logs_.box, "id or name")->required();
  logs->add_flag("-f,--follow", logs_.follow, "go on until it ends");
  auto* session = logs->add_option("--session", logs_.session, "session instead of the entrypoint's");
  auto* which = logs->add_option("--command", logs_.command, "command of that session");
  session->needs(which);
  which->needs(session);

  CLI::App* forward = parser_.add(
      "port-forward", "make a port of a sandbox one of this machine",
      parser_.with_api([this](auto& api, auto& output) { return cli::forward_port(api, output, forward_); }));
  parser_.add_api_flags(forward);
  forward->add_option("SANDBOX", forward_.box, "id or name")->required();
  forward->add_option("PORTS", forward_.ports, "LOCAL:REMOTE, or one port for both")->required();
  forward->add_option("--expires", forward_.expires_minutes, "access ends after so many minutes")
      ->check(CLI::Range(1, 525'600));
}

}  // namespace sebring
