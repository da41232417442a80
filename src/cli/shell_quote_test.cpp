#include "cli/shell_quote.h"

#include <doctest/doctest.h>

namespace sebring::cli {

TEST_CASE("command_line") {
  struct Row {
    std::vector<std::string> arguments;
    std::string_view expected;
  } rows[] = {
      {{"ls -la | wc"}, "ls -la | wc"},
      {{"ls", "-la"}, "ls -la"},
      {{"sh", "-c", "X=1 echo $X"}, "sh -c 'X=1 echo $X'"},
      {{"echo", "it's"}, "echo 'it'\\''s'"},
      {{"echo", ""}, "echo ''"},
      {{"echo", "a\nb", "*", "~", "!"}, "echo 'a\nb' '*' '~' '!'"},
      {{"A=b", "c"}, "'A=b' c"},
      {{"x", "A=b"}, "x A=b"},
      {{}, ""},
  };
  for (const Row& row : rows) CHECK(command_line(row.arguments) == row.expected);
  CHECK(program_line({"a | b"}) == "sh -c 'a | b'");
  CHECK(program_line({"vi", "a b"}) == "vi 'a b'");
}

}  // namespace sebring::cli
