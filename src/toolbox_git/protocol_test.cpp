#include "toolbox_git/protocol.h"

#include <doctest/doctest.h>

namespace sebring::toolbox_git {

TEST_CASE("events come back as they were sent") {
  const auto target = decode(encode(TargetEvent{"/home/u/re\"po\n", false}));
  REQUIRE(target);
  CHECK(std::get<TargetEvent>(*target).path == "/home/u/re\"po\n");
  CHECK(!std::get<TargetEvent>(*target).existed);

  const auto progress = decode(encode(ProgressEvent{"receive", 3, 9, 1 << 20}));
  REQUIRE(progress);
  CHECK(std::get<ProgressEvent>(*progress).step == "receive");
  CHECK(std::get<ProgressEvent>(*progress).bytes == 1 << 20);

  const auto error = decode(encode(ErrorEvent{Error(Errc::conflict, "no \xff").tagged("GIT_PUSH_REJECTED")}));
  REQUIRE(error);
  CHECK(std::get<ErrorEvent>(*error).error.code() == Errc::conflict);
  CHECK(std::get<ErrorEvent>(*error).error.tag() == "GIT_PUSH_REJECTED");
  CHECK(std::get<ErrorEvent>(*error).error.message() == "no \xef\xbf\xbd");

  CHECK(std::holds_alternative<DoneEvent>(*decode(encode(DoneEvent{}))));
  CHECK(encode(ProgressEvent{"a\nb"}).find('\n') == std::string::npos);
}

TEST_CASE("every code has a name") {
  for (int i = 0; i <= static_cast<int>(Errc::unavailable); ++i) {
    const auto code = static_cast<Errc>(i);
    const auto got = decode(encode(ErrorEvent{Error(code, "m")}));
    REQUIRE(got);
    CHECK(std::get<ErrorEvent>(*got).error.code() == code);
  }
}

TEST_CASE("lines that are no events") {
  for (const char* line : {"", "{}", "[]", "{", "\"done\"", R"({"done":false})", R"({"error":{}})", R"({"error":1})",
                           R"({"error":{"code":"nonsense","message":"m"}})", R"({"target":{"existed":true}})",
                           R"({"target":{"path":7}})", R"({"progress":{"done":"x"}})", R"({"else":1})"}) {
    CAPTURE(line);
    const auto got = decode(line);
    CHECK(!got);
    if (!got) CHECK(got.error().code() == Errc::internal);
  }
}

}  // namespace sebring::toolbox_git
