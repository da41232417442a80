// Every call on a sandbox in every state that it can be in: which status, which text, and where it is afterwards. The
// table says what is expected of the states of rest; what is on its way comes to rest first.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "api/test_server.h"

namespace sebring::api {
namespace {

// What a state on the way may have become by the time somebody looks.
std::string end_of(const std::string& state) {
  if (state == "archiving") return "archived";
  if (state == "stopping") return "stopped";
  if (state == "pausing") return "paused";
  if (state == "starting" || state == "restoring" || state == "resuming") return "started";
  return state;
}

using control::RunnerState;
using model::DesiredState;
using model::SandboxState;

constexpr RunnerState kNowhere = static_cast<RunnerState>(-1);

// A sandbox as an earlier life of the server left it.
struct Situation {
  std::string name;
  SandboxState state;
  DesiredState desired;
  RunnerState held;         // by the runner
  std::string shown;        // to clients
  std::string rest;         // the row of the table that holds: where it is when nobody is at work on it
  bool recoverable = true;  // of errors
};

std::vector<Situation> situations() {
  using S = SandboxState;
  using D = DesiredState;
  const auto running = RunnerState::running, stopped = RunnerState::stopped, paused = RunnerState::paused;
  return {{"started", S::started, D::started, running, "started", "started"},
          {"stopped", S::stopped, D::stopped, stopped, "stopped", "stopped"},
          {"paused", S::paused, D::paused, paused, "paused", "paused"},
          {"archived", S::archived, D::archived, kNowhere, "archived", "archived"},
          {"error", S::error, D::stopped, stopped, "error", "error"},
          {"lost", S::error, D::stopped, kNowhere, "error", "lost", false},
          {"build_failed", S::build_failed, D::started, kNowhere, "build_failed", "build_failed"},
          {"creating", S::creating, D::started, kNowhere, "creating", "started"},
          {"creating, made", S::creating, D::started, running, "creating", "started"},
          {"unknown", S::unknown, D::started, running, "creating", "started"},
          {"pulling_snapshot", S::pulling_snapshot, D::started, kNowhere, "pulling_snapshot", "started"},
          {"restoring", S::restoring, D::started, kNowhere, "restoring", "archived"},
          {"archived, wanted", S::archived, D::started, kNowhere, "restoring", "archived"},
          {"starting", S::starting, D::started, stopped, "starting", "started"},
          {"stopped, wanted", S::stopped, D::started, stopped, "starting", "started"},
          {"stopping", S::stopping, D::stopped, running, "stopping", "stopped"},
          {"started, unwanted", S::started, D::stopped, running, "stopping", "stopped"},
          {"archiving", S::archiving, D::archived, stopped, "archiving", "stopped"},
          {"stopped, to archive", S::stopped, D::archived, stopped, "archiving", "stopped"},
          {"resizing", S::resizing, D::started, running, "resizing", "started"},
          {"resizing, stopped", S::resizing, D::stopped, stopped, "resizing", "stopped"},
          {"snapshotting", S::snapshotting, D::started, running, "snapshotting", "started"},
          {"forking", S::forking, D::started, running, "forking", "started"},
          {"pausing", S::pausing, D::paused, running, "pausing", "started"},
          {"pausing, done", S::pausing, D::paused, paused, "pausing", "paused"},
          {"resuming", S::resuming, D::started, paused, "resuming", "started"},
          {"pending_build", S::pending_build, D::started, kNowhere, "pending_build", "building"},
          {"building_snapshot", S::building_snapshot, D::started, kNowhere, "building_snapshot", "building"},
          {"destroying", S::destroying, D::destroyed, running, "destroying", "destroying"},
          {"started, doomed", S::started, D::destroyed, running, "destroying", "destroying"},
          {"stopped, doomed", S::stopped, D::destroyed, stopped, "destroying", "destroying"}};
}

// What a call answers in one row of the table, and the state in which it then leaves the sandbox ("": as it was shown).
struct Expected {
  int status;
  std::string text;  // of the error, or the state afterwards
};

struct Call {
  std::string method;
  std::string path;  // behind /sandbox/{id}
  std::string body;
  std::map<std::string, Expected> expected;  // by rest; "*": all that are not named
};

const std::string kErrored = "Sandbox is in an errored state";
const std::string kInvalid = "Sandbox is not in valid state";
const std::string kNoStop = "Sandbox is not in a stoppable state";
const std::string kNotStopped = "Sandbox is not stopped";
const std::string kNotFailed = "Sandbox must be in error state to recover";
const std::string kBusy = "Sandbox state change in progress";

// The states that refuse every change of state in the same way, then the others.
std::map<std::string, Expected> refusing(std::map<std::string, Expected> rest) {
  rest.emplace("building", Expected{409, kBusy});
  rest.emplace("destroying", Expected{400, kInvalid});
  for (const char* failed : {"error", "lost", "build_failed"}) rest.emplace(failed, Expected{400, kErrored});
  return rest;
}

// Changes that any living sandbox takes; they leave its state alone.
Call setting(std::string method, std::string path, std::string body, int status) {
  return {std::move(method), std::move(path), std::move(body), {{"*", {status, ""}}, {"destroying", {404, ""}}}};
}

std::vector<Call> calls() {
  std::vector<Call> all = {
      {"POST", "/start", "",
       refusing({{"started", {200, "started"}},
                 {"stopped", {200, "started"}},
                 {"paused", {200, "started"}},
                 {"archived", {200, "started"}}})},
      {"POST", "/archive", "",
       refusing({{"started", {400, kNotStopped}},
                 {"stopped", {200, "archiving"}},
                 {"paused", {400, kNotStopped}},
                 {"archived", {400, kNotStopped}}})},
      {"POST", "/pause", "",
       refusing({{"started", {200, "paused"}},
                 {"stopped", {400, kInvalid}},
                 {"paused", {200, "paused"}},
                 {"archived", {400, kInvalid}}})},
      {"POST", "/resize", R"({"cpu": 2, "memory": 2})",
       refusing({{"started", {200, "started"}},
                 {"stopped", {200, "stopped"}},
                 {"paused", {400, kInvalid}},
                 {"archived", {400, kInvalid}}})},
      {"POST", "/resize", R"({"disk": 4})",
       refusing({{"started", {400, "Disk can only be resized when the sandbox is stopped"}},
                 {"stopped", {200, "stopped"}},
                 {"paused", {400, kInvalid}},
                 {"archived", {400, kInvalid}}})},
      {"POST",
       "/recover",
       "",
       {{"error", {200, "started"}},
        {"lost", {400, "Sandbox is not recoverable: for the test"}},
        {"building", {409, kBusy}},
        {"destroying", {400, kInvalid}},
        {"*", {400, kNotFailed}}}},
      {"GET", "", "", {{"*", {200, ""}}}},
      {"GET", "/forks", "", {{"*", {200, ""}}}},
      {"GET", "/ancestors", "", {{"*", {200, ""}}}},
      {"POST", "/last-activity", "", {{"*", {201, ""}}}},
      setting("POST", "/autostop/7", "", 201),
      setting("POST", "/autopause/7", "", 201),
      setting("POST", "/autoarchive/7", "", 201),
      setting("POST", "/autodelete/7", "", 201),
      setting("POST", "/ttl/7", "", 201),
      setting("POST", "/public/true", "", 201),
      setting("PUT", "/labels", R"({"labels": {"a": "b"}})", 200),
      setting("POST", "/network-settings", R"({"networkBlockAll": true})", 200),
  };
  for (const char* force : {"", "?force=true"}) {
    all.push_back({"POST", std::string("/stop") + force, "",
                   refusing({{"started", {200, "stopped"}},
                             {"stopped", {400, kNoStop}},
                             {"paused", {200, "stopped"}},
                             {"archived", {400, kNoStop}},
                             {"error", {200, "stopped"}},
                             {"lost", {200, "stopped"}}})});
  }
  for (const char* copy : {"/fork", "/snapshot", "/backup"}) {
    const int good = copy == std::string("/backup") ? 201 : 200;
    all.push_back({"POST", copy, copy == std::string("/snapshot") ? R"({"name": "NAME"})" : "{}",
                   refusing({{"started", {good, "started"}},
                             {"stopped", {good, "stopped"}},
                             {"paused", {good, "paused"}},
                             {"archived", {400, kInvalid}}})});
  }
  return all;
}

class Matrix {
 public:
  std::string put(const Situation& situation) {
    const std::string id = server.ask("POST", "/sandbox", "{}").field("id");
    REQUIRE(id.size() == 36);
    model::Sandbox row = find(id);
    row.state = situation.state;
    row.desired = situation.desired;
    if (row.state == SandboxState::error || row.state == SandboxState::build_failed) {
      row.error_reason = "for the test";
      row.recoverable = situation.recoverable;
    }
    if (situation.held == kNowhere) {
      server.runner->held.erase(id);
    } else {
      server.runner->held[id].state = situation.held;
    }
    const bool archived = situation.rest == "archived";
    if (archived) row.archive = model::Archive{"x.tar.zst", std::string(64, 'a'), 1000};
    server.run(control().store.sandboxes.update_later(row, db::Urgency::now).wait()).value();
    control().live.put(row);
    return id;
  }

  void check(const Call& call, const Situation& situation) {
    CAPTURE(call.method);
    CAPTURE(call.path);
    CAPTURE(call.body);
    CAPTURE(situation.name);
    const std::string id = put(situation);
    const Expected* expected = expectation(call, situation);
    REQUIRE(expected != nullptr);
    std::string body = call.body;
    if (auto at = body.find("NAME"); at != std::string::npos) body.replace(at, 4, "made-" + std::to_string(++names));
    const Answer answer = server.ask(call.method, "/sandbox/" + id + call.path, body);
    CAPTURE(answer.text);
    CHECK(answer.status == expected->status);
    if (expected->status >= 400) {
      const std::string missing = "Sandbox with ID or name " + id + " not found";
      CHECK(answer.message() == (expected->text.empty() ? missing : expected->text));
      CHECK(answer.field("source") == "DAYTONA_API");
    } else {
      const std::string then = expected->text.empty() ? situation.shown : expected->text;
      const std::string now = server.ask("GET", "/sandbox/" + id).field("state");
      CHECK_MESSAGE((now == then || now == end_of(then)), now, " instead of ", then);
    }
    leave(id, call.path == "/fork" && answer.status == 200 ? answer.field("id") : "");
  }

  // A delete is legal wherever the call has left it, and afterwards nothing of it is there.
  void leave(const std::string& id, const std::string& child) {
    if (!child.empty()) {
      const Answer refused = server.ask("DELETE", "/sandbox/" + id);
      CHECK(refused.status == 400);
      CHECK(refused.message() ==
            "Cannot delete sandbox which has active fork children. The forks must be deleted first.");
      CHECK(server.ask("DELETE", "/sandbox/" + child).status == 200);
    }
    const bool going = find(id).visible() == SandboxState::destroying;
    const Answer deleted = server.ask("DELETE", "/sandbox/" + id);
    CHECK(deleted.status == 200);
    if (going) return;  // whoever began it goes on, here nobody
    CHECK(deleted.field("state") == "destroyed");
    CHECK(find(id).state == SandboxState::destroyed);
    CHECK_FALSE(server.runner->held.contains(id));
    CHECK(server.ask("GET", "/sandbox/" + id).status == 404);
  }

  static const Expected* expectation(const Call& call, const Situation& situation) {
    for (const std::string& key : {situation.rest, std::string("*")}) {
      if (auto found = call.expected.find(key); found != call.expected.end()) return &found->second;
    }
    return nullptr;
  }
  model::Sandbox find(const std::string& id) { return server.run(control().store.sandboxes.find(id)).value().value(); }
  control::Control& control() { return server.plane->control(); }

  TestServer server;
  int names = 0;
};

TEST_CASE("every call in every state") {
  Matrix matrix;
  std::set<std::string> seen;
  for (const Situation& situation : situations()) {
    seen.insert(std::string(model::to_text(situation.state)));
    for (const Call& call : calls()) matrix.check(call, situation);
  }
  CHECK(seen.size() == model::kSandboxStates - 1);  // all but destroyed
  // A destroyed or unknown one is not there, for any call.
  const std::string gone = matrix.put(situations().front());
  CHECK(matrix.server.ask("DELETE", "/sandbox/" + gone).status == 200);
  // Nor is one that failed and is being deleted.
  const std::string failed =
      matrix.put({"failed, doomed", SandboxState::error, DesiredState::destroyed, kNowhere, "", "", false});
  for (const std::string& id :
       {gone, failed, std::string("nobody"), std::string("11111111-1111-4111-8111-111111111111")}) {
    for (const Call& call : calls()) {
      CAPTURE(call.path);
      const Answer answer = matrix.server.ask(call.method, "/sandbox/" + id + call.path, call.body);
      CHECK(answer.status == 404);
      CHECK(answer.message() == "Sandbox with ID or name " + id + " not found");
    }
    CHECK(matrix.server.ask("DELETE", "/sandbox/" + id).status == 404);
  }
}

TEST_CASE("numbers that no interval has") {
  TestServer server;
  REQUIRE(server.ask("POST", "/sandbox", R"({"name": "one"})").status == 200);
  struct Row {
    const char* path;
    const char* message;
  } rows[] = {{"autostop/-1", "Auto-stop interval must be non-negative"},
              {"autopause/-1", "Auto-pause interval must be non-negative"},
              {"autoarchive/-1", "Auto-archive interval must be non-negative"},
              {"ttl/-1", "TTL must be non-negative"},
              {"autostop/52560001", "Auto-stop interval must not be greater than 52560000"},
              {"autopause/52560001", "Auto-pause interval must not be greater than 52560000"},
              {"autodelete/52560001", "Auto-delete interval must not be greater than 52560000"},
              {"ttl/9223372036854775807", "TTL must not be greater than 52560000"},
              {"autostop/9223372036854775808", "Validation failed (numeric string is expected)"},
              {"autostop/1e3", "Validation failed (numeric string is expected)"},
              {"autostop/%201", "Validation failed (numeric string is expected)"},
              {"ttl/0x10", "Validation failed (numeric string is expected)"}};
  const auto before = server.ask("GET", "/sandbox/one").json;
  for (const Row& row : rows) {
    CAPTURE(row.path);
    const auto answer = server.ask("POST", std::string("/sandbox/one/") + row.path);
    CHECK(answer.status == 400);
    CHECK(answer.message() == row.message);
  }
  CHECK(server.ask("GET", "/sandbox/one").json == before);
}

}  // namespace
}  // namespace sebring::api
