#pragma once
#include <string>
#include <utility>
#include <vector>

namespace sebring::cli {

// `exec [flags] BOX [flags] [--] COMMAND...`: what is ours and what is the command's. Everything after "--" is the
// command's; without it everything from the second plain argument on, so that the command keeps its own flags.
struct ExecArguments {
  std::vector<std::string> ours;
  std::vector<std::string> command;
};
// `arguments` start after "exec".
ExecArguments split_exec_arguments(const std::vector<std::string>& arguments);

}  // namespace sebring::cli
