#include "toolbox/interpreter_context.h"

#include <doctest/doctest.h>

using namespace sebring;
using namespace sebring::toolbox;

TEST_CASE("what clients ask an interpreter") {
  auto request = parse_run_request(R"json({"code":"print(1)"})json");
  REQUIRE(request);
  CHECK(request->context_id.empty());
  CHECK(request->time_max == kRunTimeDefault);
  request = parse_run_request(R"({"code":"1","contextId":"c","envs":{"A":"b"},"timeout":0,"other":[]})");
  REQUIRE(request);
  CHECK(request->context_id == "c");
  CHECK(request->envs.size() == 1);
  CHECK_FALSE(request->time_max);
  CHECK(parse_run_request(R"({"code":"1","timeout":0.25})")->time_max == std::chrono::milliseconds(250));
  CHECK(parse_run_request(R"({"code":"1","timeout":null})")->time_max == kRunTimeDefault);
  struct Row {
    std::string_view text;
    bool malformed;
  } rows[] = {
      {"", true},
      {"{", true},
      {"[]", true},
      {"1", true},
      {R"({"code":"a","code":"b"})", true},
      {"{}", false},
      {R"({"code":""})", false},
      {R"({"code":1})", false},
      {R"({"code":"1","contextId":1})", false},
      {R"({"code":"1","timeout":-1})", false},
      {R"({"code":"1","timeout":1e99})", false},
      {R"({"code":"1","timeout":"1"})", false},
      {R"({"code":"1","envs":{"A":1}})", false},
      {R"({"code":"1","envs":{"A=B":"1"}})", false},
      {R"({"code":"1","envs":{"A":"\u0000"}})", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    auto parsed = parse_run_request(row.text);
    REQUIRE_FALSE(parsed);
    CHECK((parsed.error().tag() == "MALFORMED") == row.malformed);
  }
}

TEST_CASE("what they are told") {
  InterpreterEvent event{};
  event.type = InterpreterEvent::Type::out;
  event.text = "a\"\n";
  CHECK(interpreter_frame(event) == R"({"type":"stdout","text":"a\"\n","name":"","value":"","traceback":""})");
  event = {};
  event.type = InterpreterEvent::Type::interrupted;
  CHECK(interpreter_frame(event) == R"({"type":"control","text":"interrupted","name":"","value":"","traceback":""})");
  CHECK(describe_end({.code = 3}) == "exited with code 3");
  CHECK(describe_end({.code = 137, .signal = 9}) == "was killed by signal 9 (SIGKILL)");
  CHECK(describe_end({.code = 137, .signal = 9, .out_of_memory = OutOfMemory{512 << 20, 512 << 20}}) ==
        "ran out of memory (limit 512 MiB)");
}
