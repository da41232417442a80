#pragma once
// Subcommands that reach into a sandbox by other ways than exec: preview-url ssh port-forward, cp, logs.
#include "cli/logs_command.h"
#include "cli/reach_commands.h"
#include "parser.h"

namespace sebring {

class ReachVerbs {
 public:
  // `parser` must outlive this, and this the parser's run().
  explicit ReachVerbs(Parser& parser);

 private:
  void add_reach();
  void add_files();

  Parser& parser_;
  cli::PreviewOptions preview_;
  cli::SshOptions ssh_;
  cli::ForwardOptions forward_;
  cli::LogsOptions logs_;
  std::string from_, to_;
};

}  // namespace sebring
