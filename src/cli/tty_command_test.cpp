#include "cli/tty_command.h"

#include <doctest/doctest.h>

namespace sebring::cli {

TEST_CASE("parse_terminal_end") {
  auto end = parse_terminal_end(R"({"type":"control","status":"exited","exitCode":3,"exitReason":"non-zero exit"})");
  REQUIRE(end);
  CHECK(end->exited);
  CHECK(end->exit_code == 3);
  end = parse_terminal_end(R"({"type":"control","status":"error","error":"no such session"})");
  REQUIRE(end);
  CHECK_FALSE(end->exited);
  CHECK(end->error == "no such session");
  for (std::string_view other :
       {"", "x", "{}", R"({"type":"control","status":"connected"})", R"({"status":"exited"})"}) {
    CAPTURE(other);
    CHECK_FALSE(parse_terminal_end(other));
  }
}

}  // namespace sebring::cli
