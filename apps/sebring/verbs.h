#pragma once
// Flags of every subcommand, and which function each calls.
#include <string>
#include <vector>

namespace sebring {

// `arguments` without the program's name. Returns the exit code.
int run_command_line(std::vector<std::string> arguments);

}  // namespace sebring
