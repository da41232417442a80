#include "cli/table.h"

#include <doctest/doctest.h>

namespace sebring::cli {

TEST_CASE("table aligns by code points and keeps no trailing spaces") {
  Table table({"NAME", "STATE"});
  table.add({"größe", "started"});
  table.add({"a", ""});
  CHECK(table.render() == "NAME   STATE\ngröße  started\na\n");
}

TEST_CASE("nothing that a stranger wrote reaches the terminal as a control sequence") {
  struct Row {
    std::string_view text, expected;
  } rows[] = {
      {"plain ü", "plain ü"},
      {"\x1b[31mred", "?[31mred"},
      {"a\nb\tc\r", "a?b?c?"},
      {"\xc2\x9b"
       "31m",
       "?31m"},
      {"\x7f", "?"},
      {"bad \xff", "bad \xef\xbf\xbd"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(printable(row.text) == row.expected);
  }
}

TEST_CASE("fields") {
  CHECK(render_fields({{"id", "1"}, {"state", ""}, {"x", "2"}}) == "id:     1\nstate:\nx:      2\n");
}

}  // namespace sebring::cli
