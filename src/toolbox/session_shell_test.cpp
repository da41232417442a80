#include "toolbox/session_shell.h"

#include <doctest/doctest.h>

#include <set>

using namespace sebring::toolbox;

TEST_CASE("quoting") {
  struct Row {
    std::string_view text, quoted;
  } rows[] = {
      {"", "''"},         {"a b", "'a b'"}, {"it's", "'it'\\''s'"}, {"'", "''\\'''"}, {"$x `y`", "'$x `y`'"},
      {"a\nb", "'a\nb'"}, {"\\", "'\\'"},   {"''", "''\\'''\\'''"},
  };
  for (const Row& row : rows) CHECK(shell_quote(row.text) == row.quoted);
}

TEST_CASE("lines for the shell") {
  ShellRequest request{.report_id = "r1", .command = "echo 'hi'", .input = "/dev/null", .output = "/o", .errors = "/e"};
  CHECK(shell_lines("/bin/bash", request) ==
        "\\builtin \\command \\eval 'echo '\\''hi'\\''' <'/dev/null' >'/o' 2>'/e'\n\\builtin \\command \\echo "
        "r1\":$?\"\n");
  CHECK(shell_lines("/bin/sh", request).starts_with("\\command \\eval "));
  CHECK(shell_lines("/usr/bin/zsh", request).starts_with("\\builtin \\eval "));
  request.file = "/d/f";
  CHECK(shell_lines("/bin/sh", request).starts_with("\\command \\. '/d/f' <"));
  CHECK(shell_lines("/bin/bash", request).starts_with("\\builtin \\command \\. '/d/f' <"));
}

TEST_CASE("reports") {
  struct Row {
    std::vector<std::string_view> pieces;
    std::optional<int> status;
  } rows[] = {
      {{"r1:0\n"}, 0},
      {{"r1:255\n"}, 255},
      {{"r", "1", ":", "1", "2", "\n"}, 12},
      {{"bye\nr1:3\n"}, 3},
      {{"byer1:3\n"}, 3},
      {{"r1:x\nr1:4\n"}, 4},
      {{std::string_view("\0\xff\n", 3), "r1:4\n"}, 4},
      {{"r1:7"}, {}},
      {{"r1:\n"}, {}},
      {{"r1:256\n"}, {}},
      {{"r1:-1\n"}, {}},
      {{"r1: 1\n"}, {}},
      {{"r2:1\n"}, {}},
      {{"r1\n:1\n"}, {}},
  };
  for (const Row& row : rows) {
    ReportReader reader;
    std::optional<int> status;
    for (std::string_view piece : row.pieces) {
      if (!status) status = reader.add(piece, "r1");
    }
    CAPTURE(row.pieces.front());
    CHECK(status == row.status);
  }
  ReportReader reader;
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(reader.add(std::string(1000, 'x'), "r1"));
  CHECK(reader.add("r1:0\n", "r1") == 0);
}

TEST_CASE("which shell") {
  struct Row {
    std::vector<std::string> candidates;
    std::set<std::string> there;
    std::string_view chosen;
  } rows[] = {
      {{"/usr/bin/zsh", "/bin/bash", "/bin/sh"}, {"/bin/sh", "/bin/bash", "/usr/bin/zsh"}, "/usr/bin/zsh"},
      {{"/usr/bin/zsh", "/bin/bash", "/bin/sh"}, {"/bin/sh", "/bin/bash"}, "/bin/bash"},
      {{"/bin/bash", "/bin/ash"}, {"/bin/ash"}, "/bin/ash"},
      {{"/usr/bin/fish", "/bin/sh"}, {"/usr/bin/fish", "/bin/sh"}, "/bin/sh"},
      {{"/usr/sbin/nologin", "/x/notbash", "/x/bash.old"},
       {"/usr/sbin/nologin", "/x/notbash", "/x/bash.old"},
       "/bin/sh"},
      {{}, {}, "/bin/sh"},
  };
  for (const Row& row : rows) {
    CHECK(choose_session_shell(row.candidates, [&](const std::string& path) { return row.there.contains(path); }) ==
          row.chosen);
  }
}
