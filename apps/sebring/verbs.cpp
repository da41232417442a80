#include "verbs.h"

#include "cli/exec_arguments.h"
#include "parser.h"
#include "reach_verbs.h"
#include "sandbox_verbs.h"
#include "server_verbs.h"

namespace sebring {

int run_command_line(std::vector<std::string> arguments) {
  Parser parser;
  ServerVerbs server(parser);
  SandboxVerbs sandbox(parser);
  ReachVerbs reach(parser);
  if (!arguments.empty() && arguments[0] == "exec") {
    auto split = cli::split_exec_arguments({arguments.begin() + 1, arguments.end()});
    sandbox.set_command(std::move(split.command));
    arguments.resize(1);
    arguments.insert(arguments.end(), split.ours.begin(), split.ours.end());
  }
  return parser.run(std::move(arguments));
}

}  // namespace sebring
