#include "toolbox_git/request.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "json/json.h"

namespace sebring::toolbox_git {
namespace {

Result<Request> parse(std::string_view operation, std::string_view fields) {
  const auto object = json::parse_object(fields);
  REQUIRE(object);
  return parse_request(operation, *object);
}

}  // namespace

TEST_CASE("a full clone request") {
  const auto request =
      parse("clone", R"({"path":"/w/r","url":"h.test/a","branch":"dev","commit_id":"0aF9","username":"u",
      "password":"p","insecure_skip_tls":true,"depth":3,"submodules":true,"later":"field"})");
  REQUIRE(request);
  const auto& clone = std::get<Clone>(*request);
  CHECK(clone.path == "/w/r");
  CHECK(clone.url == "https://h.test/a");
  CHECK(clone.branch == "dev");
  CHECK(clone.commit == "0aF9");
  CHECK(clone.sign_in.username == "u");
  CHECK(clone.sign_in.password == "p");
  CHECK(clone.insecure_skip_tls);
  CHECK(clone.depth == 3);
  CHECK(clone.submodules);
}

TEST_CASE("null is the same as absent") {
  const auto request = parse("clone", R"({"path":"/w","url":"/srv/r","branch":null,"depth":null,"username":null})");
  REQUIRE(request);
  CHECK(std::get<Clone>(*request).depth == 0);
  CHECK(std::get<Clone>(*request).sign_in.empty());
}

TEST_CASE("defaults that depend on what else is said") {
  struct Row {
    const char* fields;
    bool staged, worktree;
  };
  const Row rows[] = {
      {R"({"path":"/r","files":["a"]})", false, true},
      {R"({"path":"/r","files":["a"],"staged":true})", true, false},
      {R"({"path":"/r","files":["a"],"worktree":true})", false, true},
      {R"({"path":"/r","files":["a"],"staged":true,"worktree":true})", true, true},
      {R"({"path":"/r","files":["a"],"staged":false,"worktree":true})", false, true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.fields);
    const auto request = parse("restore", row.fields);
    REQUIRE(request);
    CHECK(std::get<Restore>(*request).staged == row.staged);
    CHECK(std::get<Restore>(*request).worktree == row.worktree);
  }
  const auto credentials = parse("store_credentials", R"({"username":"u","password":"p"})");
  REQUIRE(credentials);
  CHECK(std::get<StoreCredentials>(*credentials).host == "github.com");
  CHECK(std::get<StoreCredentials>(*credentials).protocol == "https");
}

TEST_CASE("what needs the network") {
  CHECK(uses_network(*parse("clone", R"({"path":"/r","url":"/srv/r"})")));
  CHECK(uses_network(*parse("push", R"({"path":"/r"})")));
  CHECK(uses_network(*parse("pull", R"({"path":"/r"})")));
  CHECK(uses_network(*parse("add_remote", R"({"path":"/r","name":"o","url":"h.test/x","fetch":true})")));
  CHECK(!uses_network(*parse("add_remote", R"({"path":"/r","name":"o","url":"h.test/x"})")));
  CHECK(!uses_network(*parse("status", R"({"path":"/r"})")));
}

TEST_CASE("bad requests") {
  struct Row {
    const char *operation, *fields;
    const char* says;  // part of the message
  };
  const Row rows[] = {
      {"nope", "{}", "unknown git operation"},
      {"", "{}", "unknown git operation"},
      {"status", "{}", "path"},
      {"status", R"({"path":7})", "path"},
      {"status", R"({"path":""})", "path"},
      {"status", R"({"path":"a\u0000b"})", "NUL"},
      {"clone", "{}", "url"},
      {"clone", R"({"path":"/r","url":"ftp://h/x"})", "ftp"},
      {"clone", R"({"path":"/r","url":"h.test/x","commit_id":"abc"})", "commit_id"},
      {"clone", R"({"path":"/r","url":"h.test/x","commit_id":"HEAD"})", "commit_id"},
      {"clone", R"({"path":"/r","url":"h.test/x","commit_id":"00000000000000000000000000000000000000000"})",
       "commit_id"},
      {"clone", R"({"path":"/r","url":"h.test/x","depth":-1})", "depth"},
      {"clone", R"({"path":"/r","url":"h.test/x","depth":1.5})", "depth"},
      {"clone", R"({"path":"/r","url":"h.test/x","depth":99999999999})", "depth"},
      {"clone", R"({"path":"/r","url":"h.test/x","branch":"a\tb"})", "branch"},
      {"clone", R"({"path":"/r","url":"h.test/x","password":"a\nb"})", "password"},
      {"create_branch", R"({"path":"/r"})", "name"},
      {"create_branch", R"({"path":"/r","name":"a\nb"})", "name"},
      {"checkout", R"({"path":"/r","branch":""})", "branch"},
      {"add", R"({"path":"/r"})", "files"},
      {"add", R"({"path":"/r","files":[]})", "files"},
      {"add", R"({"path":"/r","files":["a",""]})", "files"},
      {"add", R"({"path":"/r","files":["a",1]})", "files"},
      {"add", R"({"path":"/r","files":"a"})", "files"},
      {"commit", R"({"path":"/r","message":"m","author":"a"})", "email"},
      {"commit", R"({"path":"/r","author":"a","email":"e"})", "message"},
      {"commit", R"({"path":"/r","message":"m\u0000n","author":"a","email":"e"})", "message"},
      {"commit", R"({"path":"/r","message":"m","author":"a\nb","email":"e"})", "author"},
      {"get_config", R"({"key":"a.b","scope":"worktree"})", "scope"},
      {"get_config", R"({"key":"a.b","scope":"local"})", "path"},
      {"set_config", R"({"key":"a.b"})", "value"},
      {"set_config", R"({"key":"a.b","value":"x\u0000"})", "value"},
      {"set_user", R"({"name":"n"})", "email"},
      {"store_credentials", R"({"username":"u"})", "password"},
      {"store_credentials", R"({"username":"u","password":"p","protocol":"ssh"})", "protocol"},
      {"store_credentials", R"({"username":"u","password":"p","host":"a b"})", "host"},
      {"store_credentials", R"({"username":"u","password":"p","host":"a/b"})", "host"},
      {"store_credentials", R"({"username":"u","password":"p","host":"u@a"})", "host"},
      {"store_credentials", R"({"username":"u","password":"p","host":"a:"})", "host"},
      {"store_credentials", R"({"username":"u","password":"p","host":"a:99999"})", "host"},
      {"store_credentials", R"({"username":"u","password":"p","host":"a?b"})", "host"},
      {"reset", R"({"path":"/r","mode":"wild"})", "mode"},
      {"reset", R"({"path":"/r","mode":"hard","files":["a"]})", "files"},
      {"restore", R"({"path":"/r"})", "files"},
      {"restore", R"({"path":"/r","files":["a"],"staged":false})", "staged"},
      {"restore", R"({"path":"/r","files":["a"],"worktree":false})", "staged"},
      {"add_remote", R"({"path":"/r","name":"o"})", "url"},
      {"add_remote", R"({"path":"/r","url":"h.test/x"})", "name"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.operation);
    CAPTURE(row.fields);
    const auto request = parse(row.operation, row.fields);
    CHECK(!request);
    if (request) continue;
    CHECK(request.error().code() == Errc::invalid_argument);
    CHECK(request.error().message().find(row.says) != std::string::npos);
  }
}

TEST_CASE("jobs go to the helper and back") {
  const auto job = decode_job(encode_job("checkout", {{"path", "/r"}, {"branch", "b"}}, "/ca"));
  REQUIRE(job);
  CHECK(job->ca_file == "/ca");
  CHECK(std::get<Checkout>(job->request).target == "b");
  for (const char* text : {"", "{}", "[]", R"({"operation":"status"})", R"({"operation":"status","fields":1})",
                           R"({"operation":1,"fields":{}})"}) {
    CAPTURE(text);
    CHECK(!decode_job(text));
  }
}

}  // namespace sebring::toolbox_git
