#include "toolbox/channel_process.h"

#include <doctest/doctest.h>
#include <signal.h>

namespace {
using namespace sebring::toolbox;

TEST_CASE("requests") {
  auto shell = parse_channel_request("{}");
  REQUIRE(shell.has_value());
  CHECK(shell->command.empty());
  CHECK_FALSE(shell->pty);
  auto full = parse_channel_request(
      R"({"command":"ls","pty":{"term":"xterm","cols":100,"rows":30},"env":{"LANG":"C","B":""}})");
  REQUIRE(full.has_value());
  CHECK(full->command == "ls");
  CHECK(full->size.cols == 100);
  CHECK(full->environment.size() == 2);
  CHECK(parse_channel_request(R"({"subsystem":"sftp"})")->sftp);
  for (const char* bad :
       {"[]", "{", R"({"command":5})", R"({"command":"a\u0000b"})", R"({"subsystem":"shell"})", R"({"pty":true})",
        R"({"pty":{"cols":-1}})", R"({"pty":{"rows":70000}})", R"({"env":{"A=B":"c"}})", R"({"env":{"":"c"}})",
        R"({"env":{"1A":"c"}})", R"({"env":{"A":"b\u0000c"}})", R"({"env":{"A":5}})", R"({"env":[]})"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_channel_request(bad).has_value());
  }
}

TEST_CASE("signals and frames") {
  CHECK(signal_number("TERM") == SIGTERM);
  CHECK(signal_name(SIGKILL) == "KILL");
  for (std::string_view bad : {"", "SIGTERM", "term", "15", "TERM "}) CHECK(signal_number(bad) == 0);
  CHECK(signal_name(63).empty());
  const std::string head = frame_head(FrameType::output, 0x010203);
  CHECK(head == std::string("O\0\1\2\3", 5));
  CHECK(parse_frame_head(head).length == 0x010203);
  CHECK(parse_frame_head(std::string("X\xFF\xFF\xFF\xFF", 5)).length == 0xFFFFFFFF);
}

}  // namespace
