#include "toolbox/pty_backlog.h"

#include <doctest/doctest.h>

using namespace sebring::toolbox;

TEST_CASE("questions to the terminal are left out of a replay") {
  struct Row {
    std::string_view output, kept;
  } rows[] = {
      {"", ""},
      {"plain \x1b[31mred\x1b[0m", "plain \x1b[31mred\x1b[0m"},
      {"a\x1b[6nb", "ab"},
      {"a\x1b[?6nb\x1b[5n", "ab"},
      {"\x1b[c\x1b[>c\x1b[>0c\x1b[=cx", "x"},
      {"\x1bZx", "x"},
      {"\x1b[?2026$px", "x"},
      {"\x1b[>qx", "x"},
      {"\x1b[?ux", "x"},
      {"\x1b[14tx\x1b[21t", "x"},
      {"\x1b]11;?\x07x", "x"},
      {"\x1b]10;?\x1b\\x", "x"},
      {"\x1bP$qm\x1b\\x", "x"},
      {"\x1bP+q544e\x1b\\x", "x"},
      // No questions.
      {"\x1b[2 q", "\x1b[2 q"},
      {"\x1b[8;24;80t", "\x1b[8;24;80t"},
      {"\x1b[!p", "\x1b[!p"},
      {"\x1b[u", "\x1b[u"},
      {"\x1b]0;what?\x07", "\x1b]0;what?\x07"},
      {"\x1b]11;#fff\x07", "\x1b]11;#fff\x07"},
      // Not complete, or nothing at all.
      {"\x1b", "\x1b"},
      {"\x1b[", "\x1b["},
      {"\x1b[6", "\x1b[6"},
      {"\x1b]11;?", "\x1b]11;?"},
      {"\x1b\x1b[6n", "\x1b"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.output.size());
    CHECK(without_questions(row.output) == row.kept);
  }
}

TEST_CASE("the backlog is bounded and begins with a line when it was cut") {
  PtyBacklog backlog;
  CHECK(backlog.replay().empty());
  backlog.add("first\nsecond");
  CHECK(backlog.replay() == "first\nsecond");
  for (int i = 0; i < 100'000; ++i) backlog.add("line " + std::to_string(i) + "\n");
  const std::string replay = backlog.replay();
  CHECK(replay.size() <= PtyBacklog::kBytesMax);
  CHECK(replay.size() > PtyBacklog::kBytesMax / 2);
  CHECK(replay.starts_with("line "));
  CHECK(replay.ends_with("line 99999\n"));
  backlog.add(std::string(1'000'000, 'x'));
  CHECK(backlog.replay() == std::string(PtyBacklog::kBytesMax, 'x'));
}
