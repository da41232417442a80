#include "toolbox/pty_request.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "base/text.h"

using namespace sebring;
using namespace sebring::toolbox;

namespace {

class NoSpawner final : public Spawner {
 public:
  asio::awaitable<Result<std::shared_ptr<Process>>> start(StartSpec) override {
    co_return fail(Errc::not_implemented, "no processes in this test");
  }
};

struct Fixture {
  asio::io_context io;
  NoSpawner spawner;
  Context context{.io = io, .spawner = spawner};
  Fixture() {
    context.user.home = "/home/u";
    context.work_dir = "/work";
  }
  Result<PtySettings> create(std::string_view body) {
    return parse_pty_create(boost::json::parse(body).as_object(), context);
  }
  Result<PtySettings> connect(std::string_view query, std::vector<std::string> offered = {}) {
    return parse_pty_create_connect(net::Query(query), offered, context);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what makes a terminal") {
  auto plain = create(R"({"id":"p"})");
  REQUIRE(plain);
  CHECK(plain->cwd == "/work");
  CHECK(plain->size.cols == 80);
  CHECK(plain->size.rows == 24);
  CHECK_FALSE(plain->lazy_start);
  auto all =
      create(R"({"id":"p","cwd":"~/x","envs":{"A":"1","_b":""},"cols":1,"rows":1000,"lazyStart":true,"other":1})");
  REQUIRE(all);
  CHECK(all->cwd == "/home/u/x");
  CHECK(all->envs.size() == 2);
  CHECK(all->size.rows == 1000);
  CHECK(all->lazy_start);
  CHECK(create(R"({"id":"p","cwd":"a","cols":null})")->cwd == "/work/a");
}

TEST_CASE_FIXTURE(Fixture, "what makes none") {
  const std::string_view rows[] = {
      R"({})",
      R"({"id":""})",
      R"({"id":null})",
      R"({"id":1})",
      R"({"id":"a\nb"})",
      R"({"id":"a\u0000"})",
      R"({"id":"\u007f"})",
      R"({"id":"p","cols":0})",
      R"({"id":"p","cols":1001})",
      R"({"id":"p","rows":0})",
      R"({"id":"p","rows":1001})",
      R"({"id":"p","rows":-1})",
      R"({"id":"p","rows":24.5})",
      R"({"id":"p","rows":"24"})",
      R"({"id":"p","cols":1e30})",
      R"({"id":"p","cwd":1})",
      R"({"id":"p","cwd":"a\u0000b"})",
      R"({"id":"p","envs":[]})",
      R"({"id":"p","envs":{"A":1}})",
      R"({"id":"p","envs":{"":"x"}})",
      R"({"id":"p","envs":{"A=B":"x"}})",
      R"({"id":"p","envs":{"1A":"x"}})",
      R"({"id":"p","envs":{"A":"x\u0000"}})",
      R"({"id":"p","lazyStart":"yes"})",
  };
  for (std::string_view row : rows) {
    CAPTURE(row);
    auto parsed = create(row);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code() == Errc::invalid_argument);
  }
  CHECK_FALSE(create("{\"id\":\"" + std::string(300, 'x') + "\"}"));
}

TEST_CASE("sizes") {
  CHECK(parse_pty_resize(boost::json::parse(R"({"cols":1,"rows":1000})").as_object())->rows == 1000);
  for (std::string_view row :
       {R"({})", R"({"cols":80})", R"({"rows":24})", R"({"cols":0,"rows":24})", R"({"cols":80,"rows":1001})",
        R"({"cols":"80","rows":24})", R"({"cols":-1,"rows":24})"}) {
    CAPTURE(row);
    CHECK_FALSE(parse_pty_resize(boost::json::parse(row).as_object()));
  }
}

TEST_CASE_FIXTURE(Fixture, "create and connect in one") {
  auto settings =
      connect("id=p1&cols=100&rows=30&cwd=%2Ftmp", {"X-Daytona-Pty-Exit-Control", "X-Daytona-Pty-Envs~eyJBIjogImIifQ"});
  REQUIRE(settings);
  CHECK(settings->cwd == "/tmp");
  CHECK(settings->size.cols == 100);
  REQUIRE(settings->envs.size() == 1);
  CHECK(settings->envs[0] == std::pair<std::string, std::string>{"A", "b"});
  CHECK(connect("id=p1")->size.rows == 24);
  CHECK(connect("id=p1&cols=")->size.cols == 80);
  struct Row {
    std::string_view query;
    std::vector<std::string> offered;
  } rows[] = {
      {"", {}},
      {"id=", {}},
      {"id=%0a", {}},
      {"id=p&cols=0", {}},
      {"id=p&cols=1001", {}},
      {"id=p&cols=x", {}},
      {"id=p&rows=-1", {}},
      {"id=p&rows=1e3", {}},
      {"id=p&cwd=%00", {}},
      {"id=p", {"X-Daytona-Pty-Envs~!!"}},
      {"id=p", {"X-Daytona-Pty-Envs~" + base64url_encode("[]")}},
      {"id=p", {"X-Daytona-Pty-Envs~" + base64url_encode("{\"A\":1}")}},
      {"id=p", {"X-Daytona-Pty-Envs~" + base64url_encode("{\"A B\":\"1\"}")}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.query);
    CHECK_FALSE(connect(row.query, row.offered));
  }
}

TEST_CASE("which subprotocol") {
  struct Row {
    std::vector<std::string> offered;
    std::string_view selected;
  } rows[] = {
      {{}, ""},
      {{"other"}, ""},
      {{"X-Daytona-Pty-Envs~e30", "X-Daytona-Pty-Exit-Control"}, "X-Daytona-Pty-Exit-Control"},
      {{"X-Daytona-SDK-Version~0.190.0"}, "X-Daytona-SDK-Version~0.190.0"},
      {{"X-Daytona-SDK-Version~0.190.0", "X-Daytona-Pty-Exit-Control"}, "X-Daytona-Pty-Exit-Control"},
      {{"X-Daytona-Pty-Envs~e30"}, "X-Daytona-Pty-Envs~e30"},
      {{"X-Daytona-Pty-Envs~e30", "X-Daytona-SDK-Version~1"}, "X-Daytona-SDK-Version~1"},
  };
  for (const Row& row : rows) CHECK(select_pty_subprotocol(row.offered) == row.selected);
}

TEST_CASE("how ends are told") {
  struct Row {
    int code;
    std::string_view text;
  } rows[] = {
      {0, R"({"exitCode":0})"},
      {1, R"({"exitCode":1,"exitReason":"non-zero exit"})"},
      {130, R"({"exitCode":130,"exitReason":"Ctrl+C"})"},
      {137, R"({"exitCode":137,"exitReason":"SIGKILL"})"},
      {143, R"({"exitCode":143,"exitReason":"SIGTERM"})"},
      {129, R"({"exitCode":129,"exitReason":"signal 1"})"},
      {255, R"({"exitCode":255,"exitReason":"non-zero exit"})"},
  };
  for (const Row& row : rows) CHECK(pty_close_reason(row.code) == row.text);
  CHECK(pty_exited_message(0) == R"({"type":"control","status":"exited","exitCode":0})");
}
