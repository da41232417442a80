// Paths, shells, ports, cgroup files, environment names, versions, error bodies.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "toolbox/answer.h"
#include "toolbox/command_answer.h"
#include "toolbox/configuration.h"
#include "toolbox/error_body.h"
#include "toolbox/memory_watch.h"
#include "toolbox/metrics.h"
#include "toolbox/paths.h"
#include "toolbox/ports.h"
#include "toolbox/shell.h"

namespace sebring::toolbox {

TEST_CASE("paths of clients") {
  struct Row {
    std::string path;
    const char* resolved;
  } rows[] = {{"/a", "/a"},    {"a/b", "/w/a/b"}, {".", "/w/."},      {"~", "/h"},
              {"~/x", "/h/x"}, {"~x", "/w/~x"},   {"../x", "/w/../x"}};
  for (const Row& row : rows) {
    auto resolved = resolve_path(row.path, "/w", "/h");
    REQUIRE(resolved.has_value());
    CHECK(*resolved == row.resolved);
  }
  CHECK(*resolve_path("a", "/", "/h") == "/a");
  for (const std::string& path : {std::string(), std::string("\0", 1), std::string("/a\0b", 4)}) {
    auto resolved = resolve_path(path, "/w", "/h");
    REQUIRE(!resolved.has_value());
    CHECK(resolved.error().tag() == "INVALID_FILE_PATH");
  }
}

TEST_CASE("resources that the platform tells") {
  struct Row {
    const char* text;
    double cpus;
    std::uint64_t disk, used;
  } rows[] = {{"cpus=1.500;disk=3221225472;disk-used=4096", 1.5, 3221225472, 4096},
              {"disk-used=1; cpus=2", 2, 0, 1},
              {"", 0, 0, 0},
              {"cpus=;disk=-1;disk-used=x", 0, 0, 0},
              {"cpus=1x;disk=12 34;disk-used=99999999999999999999", 0, 0, 0},
              {"cpus=-1", 0, 0, 0},
              {"CPUS=1;other=2;;=", 0, 0, 0}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const GivenResources given = parse_resources(row.text);
    CHECK(given.cpus == row.cpus);
    CHECK(given.disk_bytes == row.disk);
    CHECK(given.disk_used_bytes == row.used);
  }
}

TEST_CASE("shells in order") {
  using Shells = std::vector<std::string>;
  const Shells tail = {"/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash", "/busybox/sh"};
  auto with_tail = [&](Shells first) {
    for (const std::string& path : tail) {
      if (std::find(first.begin(), first.end(), path) == first.end()) first.push_back(path);
    }
    return first;
  };
  CHECK(choose_shells("", "") == tail);
  CHECK(choose_shells("# x\n/bin/sh\n/bin/bash\n/usr/bin/zsh\n", "/bin/fish") ==
        with_tail({"/usr/bin/zsh", "/bin/bash", "/bin/fish"}));
  CHECK(choose_shells("/bin/rbash\n", "") == tail);
  CHECK(choose_shells("bash\n../zsh\n", "relative") == tail);
  CHECK(choose_shells("", "/usr/sbin/nologin") == tail);
  CHECK(choose_shells("/bin/bash\r\n/bin/bash\n", "/bin/bash") == with_tail({"/bin/bash"}));
}

TEST_CASE("listening ports") {
  std::vector<std::uint16_t> ports;
  add_listening_ports(
      "  sl  local_address rem_address   st\n"
      "   0: 0100007F:0BB8 00000000:0000 0A 0\n"
      "   1: 0100007F:0BB9 0100007F:1234 01 0\n"
      "   2: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0\n"
      "   3: nonsense 00000000:0000 0A\n"
      "   4: 0:FFFFF 00000000:0000 0A\n"
      "   5:\n",
      ports);
  CHECK(ports == std::vector<std::uint16_t>{3000, 8080});
}

TEST_CASE("numbers of cgroup files") {
  CHECK(cgroup_number("123\n", "") == 123U);
  CHECK(cgroup_number("low 1\noom 2\noom_kill 3\n", "oom_kill") == 3U);
  CHECK(cgroup_number("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n", "oom_kill") == 4U);
  for (const char* text : {"", "max\n", "oom_killer 3\n", "oom_kill\n", "oom_kill x\n"}) {
    CHECK(!cgroup_number(text, "oom_kill"));
  }
  CHECK(!cgroup_number("max\n", ""));
}

TEST_CASE("names of variables") {
  for (const char* name : {"A", "_", "a1", "PATH_2"}) CHECK(is_environment_name(name));
  for (const char* name : {"", "1a", "a-b", "a b", "a=b", "\xC3\xA4", "a."}) CHECK(!is_environment_name(name));
}

TEST_CASE("configurations") {
  auto good = parse_configuration(
      R"({"sandboxId":"s","user":"u","workDir":"w","env":{"A":"b"},"entrypoint":["x"],"cpus":1.5,"later":{}})");
  REQUIRE(good.has_value());
  CHECK(good->work_dir == "/w");
  CHECK(good->environment.size() == 1);
  CHECK(good->cpus == 1.5);
  for (const char* bad : {"", "{}", "[]", "{\"sandboxId\":1}", "{\"sandboxId\":\"s\",\"env\":{\"A\":1}}",
                          "{\"sandboxId\":\"s\",\"entrypoint\":\"x\"}", "{\"sandboxId\":\"s\""}) {
    CAPTURE(bad);
    CHECK(!parse_configuration(bad).has_value());
  }
}

TEST_CASE("versions of SDKs") {
  CHECK(parse_sdk_version("0.190.0") == SdkVersion{0, 190, 0});
  CHECK(parse_sdk_version("v0.27.1") == SdkVersion{0, 27, 1});
  CHECK(parse_sdk_version("0.190.0-alpha.1") == SdkVersion{0, 190, 0});
  CHECK(parse_sdk_version("1") == SdkVersion{1, 0, 0});
  CHECK(parse_sdk_version("0.0.0-dev") > SdkVersion{900, 0, 0});
  for (const char* text : {"", "v", "x", "0.x", "-1.0.0"}) CHECK(!parse_sdk_version(text));
}

TEST_CASE("error bodies") {
  struct Row {
    Error error;
    int status;
    const char* code;
    const char* message;
  } rows[] = {{Error(Errc::not_found, "x"), 404, "NOT_FOUND", "not found: x"},
              {Error(Errc::not_found, "not found: x"), 404, "NOT_FOUND", "not found: x"},
              {Error(Errc::invalid_argument, "x").tagged("INVALID_REQUEST_BODY"), 400, "INVALID_REQUEST_BODY",
               "invalid body request: x"},
              {Error(Errc::timed_out, "x"), 408, "REQUEST_TIMEOUT", "request timeout: x"},
              {Error(Errc::internal, "x"), 500, "INTERNAL_SERVER_ERROR", "internal server error: x"},
              {Error(Errc::gone, "x").tagged("SESSION_ENDED"), 410, "SESSION_ENDED", "gone: x"}};
  for (const Row& row : rows) {
    const WireError wire = wire_error(row.error);
    CHECK(wire.status == row.status);
    CHECK(wire.code == row.code);
    CHECK(wire.message == row.message);
    const auto body = boost::json::parse(error_body(wire, "GET", "/a\"b")).as_object();
    CHECK(body.at("path") == "/a\"b");
    CHECK(body.at("source") == "DAYTONA_DAEMON");
  }
}

TEST_CASE("texts as JSON") {
  for (const std::string& text : {std::string("a\"\\\n\t\r\b\x01\x7F"), std::string("\0", 1),
                                  std::string("\xC3\xA4\xF0\x9F\x98\x80"), std::string()}) {
    std::string out;
    append_json_string(out, text);
    CHECK(boost::json::parse(out).as_string() == text);
  }
  std::string out;
  append_json_string(out, "a\xFF\xC3");
  CHECK(boost::json::parse(out).as_string() == "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace sebring::toolbox
