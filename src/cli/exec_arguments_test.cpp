#include "cli/exec_arguments.h"

#include <doctest/doctest.h>

namespace sebring::cli {

TEST_CASE("split_exec_arguments") {
  using List = std::vector<std::string>;
  struct Row {
    List arguments, ours, command;
  } rows[] = {
      {{"box", "--", "ls", "-la"}, {"box"}, {"ls", "-la"}},
      {{"box", "ls", "-la", "--json"}, {"box"}, {"ls", "-la", "--json"}},
      {{"--json", "box", "--cwd", "/tmp", "ls"}, {"--json", "box", "--cwd", "/tmp"}, {"ls"}},
      {{"box", "--timeout=5", "sleep", "9"}, {"box", "--timeout=5"}, {"sleep", "9"}},
      {{"box", "-e", "A=b", "--", "--", "x"}, {"box", "-e", "A=b"}, {"--", "x"}},
      {{"box", "--cwd"}, {"box", "--cwd"}, {}},
      {{"box"}, {"box"}, {}},
      {{"--", "ls"}, {}, {"ls"}},
      {{}, {}, {}},
  };
  for (const Row& row : rows) {
    auto split = split_exec_arguments(row.arguments);
    CHECK(split.ours == row.ours);
    CHECK(split.command == row.command);
  }
}

}  // namespace sebring::cli
