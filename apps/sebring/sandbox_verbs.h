#pragma once
// Subcommands about sandboxes: create list info start stop delete, exec, snapshot list.
#include "cli/exec_command.h"
#include "cli/sandbox_commands.h"
#include "cli/snapshot_commands.h"
#include "parser.h"

namespace sebring {

class SandboxVerbs {
 public:
  // `parser` must outlive this, and this the parser's run().
  explicit SandboxVerbs(Parser& parser);
  // The parser can not tell the flags of a command from ours: see split_exec_arguments().
  void set_command(std::vector<std::string> command) { exec_.command = std::move(command); }

 private:
  void add_sandboxes();
  void add_create_flags(CLI::App& create);
  void add_exec();
  void add_snapshots();

  Parser& parser_;
  std::string box_;
  std::vector<std::string> boxes_;
  bool force_ = false, all_ = false, tty_ = false;
  cli::CreateOptions create_;
  cli::ListOptions list_;
  cli::ExecOptions exec_;
  cli::SnapshotListOptions snapshots_;
};

}  // namespace sebring
