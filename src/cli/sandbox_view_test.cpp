#include "cli/sandbox_view.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "cli/output.h"

namespace sebring::cli {
namespace {

constexpr WallMs kNow = 1'800'000'000'000;  // 2027-01-15T08:00:00Z

}  // namespace

TEST_CASE("age") {
  struct Row {
    std::string_view date, expected;
  } rows[] = {
      {"2027-01-15T07:59:55.000Z", "5s"},
      {"2027-01-15T07:57:00Z", "3m"},
      {"2027-01-13T09:00:00Z", "47h"},
      {"2027-01-11T08:00:00Z", "4d"},
      {"2027-01-16T08:00:00Z", "0s"},
      {"", "-"},
      {"yesterday", "-"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.date);
    CHECK(age(row.date, kNow) == row.expected);
  }
}

TEST_CASE("list") {
  auto list =
      boost::json::parse(R"([{"id":"i1","name":"box","state":"started","snapshot":"daytona-small","cpu":1,"memory":1,
    "disk":3,"gpu":0,"createdAt":"2027-01-15T07:59:55.000Z"},{"id":"i2","name":"\u001b]0;x","state":null},7])");
  CHECK(render_sandbox_list(list.as_array(), kNow) ==
        "NAME   STATE    SNAPSHOT       RESOURCES                 AGE  ACTIVE  ID\n"
        "box    started  daytona-small  1 cpu, 1 GiB, 3 GiB disk  5s   -       i1\n"
        "?]0;x  -        -               cpu,  GiB,  GiB disk     -    -       i2\n");
  CHECK(render_sandbox_list({}, kNow).starts_with("No sandboxes"));
}

TEST_CASE("one sandbox shows why it failed, and no field of the wrong type breaks it") {
  auto one =
      boost::json::parse(R"({"id":"i","name":"n","state":"error","errorReason":"out of memory","labels":{"a":"b","c":1},
    "env":[],"public":false,"autoStopInterval":15,"autoDeleteInterval":-1,"networkBlockAll":true})");
  const std::string text = render_sandbox(one.as_object(), kNow);
  CHECK(text.find("reason:        out of memory\n") != std::string::npos);
  CHECK(text.find("labels:        a=b, c=1\n") != std::string::npos);
  CHECK(text.find("auto-stop:     15 min\n") != std::string::npos);
  CHECK(text.find("auto-delete:   off\n") != std::string::npos);
  CHECK(text.find("network:       blocked\n") != std::string::npos);
  CHECK(text.find("env:") == std::string::npos);
}

TEST_CASE("pretty JSON") {
  auto value = boost::json::parse(R"({"a":[],"b":{},"c":[1,{"d":"x\ny"}],"e":null})");
  CHECK(pretty(value) ==
        "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"x\\ny\"\n    }\n  ],\n  \"e\": "
        "null\n}");
  CHECK(boost::json::parse(pretty(value)) == value);
}

}  // namespace sebring::cli
