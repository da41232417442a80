#pragma once
#include "cli/exec_command.h"

namespace sebring::cli {

// `exec --tty`: a login shell in a terminal of the sandbox, shown in this one. A command is run by that shell, in its
// place. Returns its exit code.
int exec_in_terminal(ApiClient& api, const Output& output, const ExecOptions& options);

// A control message of the terminal's WebSocket; nullopt for anything else.
struct TerminalEnd {
  bool exited = false;
  int exit_code = 0;
  std::string error;
};
std::optional<TerminalEnd> parse_terminal_end(std::string_view text);

}  // namespace sebring::cli
