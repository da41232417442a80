// The runner as a process: its protocol, its death, its next start.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <filesystem>

#include "base/time.h"
#include "fixture.h"
#include "json/json.h"
#include "net/client.h"
#include "os/file.h"
#include "os/passing.h"
#include "os/pidfd.h"
#include "os/program.h"

using namespace sebring;
using namespace sebring::test;
namespace bj = boost::json;
namespace asio = boost::asio;

namespace {

constexpr char kDigest[] = "sha256:00000000000000000000000000000000000000000000000000000000000000ab";

struct Answer {
  int status = 0;
  bj::object body;
  std::string text(const char* name) const {
    const auto* value = body.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : "";
  }
  std::string cause() const {
    const auto* value = body.if_contains("cause");
    return value ? std::string(value->at("kind").as_string()) : "";
  }
};

class RunnerProcess {
 public:
  explicit RunnerProcess(std::string directory = Machine::get().directory() + "-runner")
      : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_ + "/run");
    start();
  }
  ~RunnerProcess() {
    for (const auto& id : ids()) ask("DELETE", "/v1/sandboxes/" + id);
    for (int i = 0; i < 200 && cleaning(); ++i) ::usleep(50'000);
    end(SIGTERM);
  }

  void start() {
    std::string program = beside_me("test_runner"), toolbox = beside_me("test_toolbox"), instance = "root-test-r";
    std::vector<char*> argv{program.data(), directory_.data(), instance.data(), toolbox.data(), nullptr};
    std::string slots = "SLOTS=3";
    char* environment[] = {slots.data(), nullptr};
    REQUIRE(::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, argv.data(), environment) == 0);
    for (int i = 0; i < 2400; ++i) {  // a busy disk makes commits slow
      if (ask("GET", "/v1/info").status == 200) return;
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) FAIL("the runner ended with status " << status);
      ::usleep(50'000);
    }
    FAIL("the runner does not answer");
  }
  void end(int signal) {
    ::kill(pid_, signal);
    int status;
    ::waitpid(pid_, &status, 0);
  }

  Answer ask(const std::string& method, const std::string& path, const std::string& body = "") {
    asio::io_context io;
    Answer answer;
    auto work = [&]() -> asio::awaitable<void> {
      net::Client client([this] { return net::connect_unix(directory_ + "/runner.sock"); }, 1);
      auto response = co_await client.ask(method, path, {}, body, std::chrono::seconds(60));
      if (!response) co_return;
      answer.status = response->status;
      if (auto object = json::parse_object(response->body)) answer.body = std::move(*object);
    };
    asio::co_spawn(io, work(), [](std::exception_ptr) {});
    io.run();
    return answer;
  }
  Answer put(const std::string& id, bool must_exist = false) {
    bj::object spec{{"image", bj::object{{"layers", bj::array{kDigest}}}},
                    {"cpus", 1},
                    {"memoryBytes", 128 << 20},
                    {"diskBytes", 64 << 20},
                    {"hostname", id},
                    {"mustExist", must_exist},
                    {"toolbox", bj::object{}}};
    return ask("PUT", "/v1/sandboxes/" + id, bj::serialize(spec));
  }
  Output run(const std::string& id, const std::string& command, int uid = 0) {
    runtime::Container container;
    container.socket = ask("GET", "/v1/sandboxes/" + id).text("socket");
    return test::run(container, command, uid);
  }
  std::vector<std::string> ids() {
    std::vector<std::string> found;
    auto answer = ask("GET", "/v1/sandboxes");
    if (answer.status == 200)
      for (auto& sandbox : answer.body["sandboxes"].as_array()) found.emplace_back(sandbox.at("id").as_string());
    return found;
  }
  // The image, put into the runner's own pool through its mount namespace.
  void make_image_once() {
    std::string root = "/proc/" + std::to_string(pid_) + "/root" +
                       std::filesystem::canonical(directory_ + "/run").string() + "/m/pool/layers/";
    if (!std::filesystem::exists(root + (kDigest + 7))) test::make_image(root + (kDigest + 7));
  }
  bool cleaning() {
    const Answer answer = ask("GET", "/v1/info");
    const auto* count = answer.body.if_contains("cleaning");
    return count && count->to_number<int>() > 0;
  }
  pid_t pid() const { return pid_; }
  const std::string& directory() const { return directory_; }
  std::string group(const std::string& id) {
    auto pid = ask("GET", "/v1/sandboxes/" + id).body["pid"].to_number<int>();
    auto text = os::read_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/cgroup");
    return text ? *text : "";
  }

 private:
  std::string directory_;
  pid_t pid_ = 0;
};

}  // namespace

TEST_SUITE_BEGIN("runner");

TEST_CASE("the runner's protocol from create to delete") {
  RunnerProcess runner;
  runner.make_image_once();
  CHECK(runner.put("nobody", true).status == 404);
  CHECK(runner.ask("GET", "/v1/sandboxes/nobody").status == 404);
  CHECK(runner.ask("DELETE", "/v1/sandboxes/nobody").status == 200);
  CHECK(runner.ask("PUT", "/v1/sandboxes/x", "{").status == 400);
  CHECK(runner.ask("PUT", "/v1/sandboxes/x", "{}").status == 400);
  CHECK(runner.ask("PUT", "/v1/sandboxes/..%2f..", "{}").status == 400);
  CHECK(runner.ask("PATCH", "/v1/info").status == 404);
  auto first = runner.put("one");
  CHECK(first.status == 200);
  CHECK(first.text("state") == "running");
  CHECK(runner.put("one").text("socket") == first.text("socket"));  // asked again
  CHECK(runner.run("one", "echo kept > /root/kept; hostname").text == "one\n");
  auto usage = runner.ask("GET", "/v1/sandboxes/one/usage");
  CHECK(usage.body["memoryLimitBytes"].to_number<std::int64_t>() == 128 << 20);
  CHECK(runner.ask("POST", "/v1/sandboxes/one/limits", R"({"memoryBytes":268435456})").status == 200);
  CHECK(runner.run("one", "grep MemTotal /proc/meminfo").text == "MemTotal:         262144 kB\n");
  CHECK(runner.ask("POST", "/v1/sandboxes/one/fork", R"({"newId":"two","diskBytes":67108864})").text("state") ==
        "stopped");
  CHECK(runner.put("two", true).status == 200);
  CHECK(runner.run("two", "cat /root/kept; hostname; cat /etc/hostname").text == "kept\ntwo\ntwo\n");
  CHECK(runner.ask("POST", "/v1/sandboxes/one/snapshot", R"({"name":"snap-1"})").text("layer") == "snap-1");
  CHECK(runner.ask("POST", "/v1/sandboxes/one/pause").text("state") == "paused");
  CHECK(runner.ask("POST", "/v1/sandboxes/one/resume").text("state") == "running");
  CHECK(runner.run("one", "echo on").text == "on\n");
  CHECK(runner.ask("POST", "/v1/sandboxes/one/stop", R"({"graceMs":2000})").text("state") == "stopped");
  CHECK(runner.ask("POST", "/v1/sandboxes/one/stop", R"({"graceMs":2000})").text("state") == "stopped");
  CHECK(runner.ask("POST", "/v1/sandboxes/one/pause").status == 409);
  CHECK(runner.put("one", true).text("state") == "running");
  CHECK(runner.run("one", "cat /root/kept").text == "kept\n");
  CHECK(runner.ask("DELETE", "/v1/sandboxes/one").status == 200);
  CHECK(runner.ask("GET", "/v1/sandboxes/one").status == 404);
  CHECK(runner.ask("DELETE", "/v1/snapshots/snap-1").status == 200);
}

TEST_CASE("stop: TERM first, then KILL after the grace; force does not wait") {
  RunnerProcess runner;
  runner.make_image_once();
  runner.put("polite");
  auto run_with_trap = [&](const std::string& trap) {
    runner.run("polite", "rm -f /root/armed; setsid sh -c 'trap \"" + trap +
                             "\" TERM; : > /root/armed; while :; do sleep 0.05; done' >/dev/null 2>&1 & until [ -e "
                             "/root/armed ]; do sleep 0.01; done");
  };
  run_with_trap("echo bye > /root/said; exit");
  auto before = Steady::now();
  CHECK(runner.ask("POST", "/v1/sandboxes/polite/stop", R"({"graceMs":60000})").text("state") == "stopped");
  CHECK(Steady::now() - before < std::chrono::seconds(50));
  runner.put("polite");
  CHECK(runner.run("polite", "cat /root/said").text == "bye\n");
  run_with_trap("");
  before = Steady::now();
  CHECK(runner.ask("POST", "/v1/sandboxes/polite/stop", R"({"graceMs":700})").text("state") == "stopped");
  CHECK(Steady::now() - before >= std::chrono::milliseconds(650));
  CHECK(Steady::now() - before < std::chrono::seconds(30));
  runner.put("polite");
  run_with_trap("");
  before = Steady::now();
  CHECK(runner.ask("POST", "/v1/sandboxes/polite/stop", R"({"force":true,"graceMs":60000})").text("state") ==
        "stopped");
  CHECK(Steady::now() - before < std::chrono::seconds(50));
}

TEST_CASE("a sandbox whose PID 1 is killed is reported with the cause, keeps its disk, starts again") {
  RunnerProcess runner;
  runner.make_image_once();
  auto made = runner.put("victim");
  runner.run("victim", "echo kept > /root/kept");
  ::kill(made.body["pid"].to_number<int>(), SIGKILL);
  for (int i = 0; i < 3000 && runner.ask("GET", "/v1/sandboxes/victim").text("state") != "stopped"; ++i)
    ::usleep(10'000);
  auto report = runner.ask("GET", "/v1/sandboxes/victim");
  CHECK(report.text("state") == "stopped");
  CHECK(report.cause() == "killed");
  CHECK(runner.put("victim", true).cause() == "");
  CHECK(runner.run("victim", "cat /root/kept").text == "kept\n");
}

TEST_CASE("kill -9 of the runner: running sandboxes go on and are adopted; dead ones are told; strays vanish") {
  RunnerProcess runner;
  runner.make_image_once();
  runner.put("lives");
  runner.put("dies");
  runner.put("stopped");
  runner.ask("POST", "/v1/sandboxes/stopped/stop", R"({"force":true})");
  runner.run("lives", "echo kept > /root/kept; setsid sleep 1000 >/dev/null 2>&1 &");
  auto dying = runner.ask("GET", "/v1/sandboxes/dies").body["pid"].to_number<int>();
  auto living = runner.ask("GET", "/v1/sandboxes/lives").text("socket");
  runner.end(SIGKILL);
  ::kill(dying, SIGKILL);
  runner.start();
  CHECK(runner.ids() == std::vector<std::string>{"dies", "lives", "stopped"});
  CHECK(runner.ask("GET", "/v1/sandboxes/lives").text("state") == "running");
  CHECK(runner.ask("GET", "/v1/sandboxes/lives").text("socket") == living);
  CHECK(runner.run("lives", "cat /root/kept").text == "kept\n");
  CHECK(runner.ask("GET", "/v1/sandboxes/dies").cause() == "toolbox_died");
  CHECK(runner.ask("GET", "/v1/sandboxes/stopped").cause() == "");
  CHECK(runner.put("dies", true).text("state") == "running");
  // An adopted one behaves like any other.
  CHECK(runner.ask("POST", "/v1/sandboxes/lives/limits", R"({"memoryBytes":268435456,"cpus":2})").status == 200);
  CHECK(runner.run("lives", "grep MemTotal /proc/meminfo").text == "MemTotal:         262144 kB\n");
  CHECK(runner.ask("POST", "/v1/sandboxes/lives/stop", R"({"graceMs":500})").text("state") == "stopped");
  CHECK(runner.put("lives", true).status == 200);
  CHECK(runner.run("lives", "cat /root/kept").text == "kept\n");
}

TEST_CASE("kill -9 of the runner at any moment of creates, stops and deletes") {
  RunnerProcess runner;
  runner.make_image_once();
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    pid_t asker = ::fork();
    if (asker == 0) {
      ::setpgid(0, 0);  // what it runs ends with it, or would ask the next runner
      std::string socket = runner.directory() + "/runner.sock";
      for (int i = 0;; ++i) {
        std::string id = "c" + std::to_string(round) + "-" + std::to_string(i), url = "http://x/v1/sandboxes/" + id;
        std::string spec =
            R"({"image":{"layers":[")" + std::string(kDigest) + R"("]},"memoryBytes":134217728,"diskBytes":67108864})";
        (void)os::run_program({"curl", "-s", "-m", "5", "--unix-socket", socket, "-X", "PUT", "-d", spec, url});
        if (i % 3 == 1)
          (void)os::run_program(
              {"curl", "-s", "-m", "5", "--unix-socket", socket, "-d", R"({"force":true})", url + "/stop"});
        if (i % 3 == 2) (void)os::run_program({"curl", "-s", "-m", "5", "--unix-socket", socket, "-X", "DELETE", url});
      }
    }
    ::usleep(static_cast<useconds_t>(60'000 + round * 13'000));
    runner.end(SIGKILL);
    ::kill(-asker, SIGKILL);
    ::waitpid(asker, nullptr, 0);
    runner.start();
    for (const auto& id : runner.ids()) {
      auto report = runner.ask("GET", "/v1/sandboxes/" + id);
      CAPTURE(id);
      if (report.text("state") == "running")
        CHECK(runner.run(id, "echo alive").text == "alive\n");
      else
        CHECK(runner.put(id, true).text("state") == "running");
      CHECK(runner.ask("DELETE", "/v1/sandboxes/" + id).status == 200);
    }
  }
}

TEST_CASE("dial: a server on the sandbox's loopback is reached, over IPv4 or IPv6; refusals are told") {
  RunnerProcess runner;
  runner.make_image_once();
  runner.put("server");
  runner.put("other");
  CHECK(runner.run("server", "probe serve 8080; probe serve 8081 6; sleep 0.2").status == 0);
  UniqueFd dial(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (runner.directory() + "/dial.sock").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(dial.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  auto ask = [&](const std::string& request) {
    REQUIRE(os::send_message(dial.get(), request).has_value());
    auto answer = os::receive_message(dial.get(), 4096, 10'000);
    REQUIRE(answer.has_value());
    std::string said = answer->data;
    if (!answer->fds.empty()) {
      ::fcntl(answer->fds[0].get(), F_SETFL, 0);
      said = *os::read_all(answer->fds[0].get(), 100);
    }
    return said;
  };
  CHECK(ask(R"({"id":"server","port":8080})") == "hello\n");
  CHECK(ask(R"({"id":"server","port":8081})") == "hello\n");
  CHECK(ask(R"({"id":"server","port":8082})").find("unavailable") != std::string::npos);
  CHECK(ask(R"({"id":"other","port":8080})").find("unavailable") != std::string::npos);
  CHECK(ask(R"({"id":"nobody","port":8080})").find("not_found") != std::string::npos);
  CHECK(ask(R"({"id":"server","port":0})").find("invalid_argument") != std::string::npos);
  CHECK(ask("nonsense").find("invalid_argument") != std::string::npos);
}

TEST_SUITE_END();
