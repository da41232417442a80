#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "api/error_response.h"
#include "api/openapi.h"
#include "api/routes.h"
#include "api/schemas.h"
#include "api/test_server.h"
#include "base/text.h"

namespace sebring::api {
namespace {

// Every "{name}" of a pattern filled in.
std::string filled(std::string_view pattern) {
  std::string path;
  for (std::string_view part : split(pattern, '/')) {
    if (part.empty()) continue;
    path += '/';
    if (!part.starts_with('{')) {
      path += part;
    } else {
      path += part == "{port}" || part == "{interval}" || part == "{ttlMinutes}" ? "5" : "x";
    }
  }
  return path;
}

bool is_known(std::string_view type) {
  if (type.ends_with("[]")) type.remove_suffix(2);
  for (const SchemaEntry& entry : schemas()) {
    if (entry.name == type) return true;
  }
  return false;
}

TEST_CASE("the document says what the table says") {
  const bj::value document = bj::parse(openapi_document("1", "http://x"));
  const bj::object& paths = document.at("paths").as_object();
  std::size_t operations = 0;
  for (const auto& path : paths) operations += path.value().as_object().size();
  std::size_t routes_with_method = 0;
  for (const RouteEntry& route : routes()) {
    CAPTURE(route.pattern);
    if (route.method != "*") ++routes_with_method;
    if (route.handler == nullptr) continue;
    CHECK_FALSE(route.summary.empty());
    if (!route.response.empty() && route.response != "boolean" && route.response != "string") {
      CHECK(is_known(route.response));
    }
    if (!route.body.empty()) CHECK(is_known(route.body));
  }
  CHECK(operations == routes_with_method);
  // Every reference leads somewhere.
  const bj::object& known = document.at("components").at("schemas").as_object();
  const std::string text = bj::serialize(document);
  for (std::size_t at = text.find("#/components/schemas/"); at != std::string::npos;
       at = text.find("#/components/schemas/", at + 1)) {
    const std::size_t from = at + 21;
    const std::string name = text.substr(from, text.find('"', from) - from);
    CAPTURE(name);
    CHECK(known.contains(name));
  }
  // What generators make a class of has a name that is nobody else's.
  for (const auto& schema : known) {
    const bj::value* properties = schema.value().as_object().if_contains("properties");
    if (properties == nullptr) continue;
    for (const auto& property : properties->as_object()) {
      CAPTURE(property.key());
      CHECK_FALSE(property.value().as_object().contains("additionalProperties"));
    }
  }
}

// camelCase, of letters and digits alone: what every generator can make a method of.
bool is_operation_name(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  return std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0; });
}

TEST_CASE("every operation has a name that is nobody else's") {
  std::set<std::string> names;
  for (const RouteEntry& route : routes()) {
    CAPTURE(route.pattern);
    CAPTURE(route.operation);
    CHECK(is_operation_name(route.operation));
    CHECK(names.insert(to_lower(route.operation)).second);  // generators for some languages change the case
  }
  const bj::value document = bj::parse(openapi_document("1", "http://x"));
  std::size_t told = 0;
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& one : path.value().as_object()) {
      CAPTURE(path.key());
      const auto& operation = one.value().at("operationId").as_string();
      told += names.erase(to_lower(std::string_view(operation)));
    }
  }
  CHECK(told > 0);
  CHECK(names == std::set<std::string>{"calltoolbox"});  // any method: not in the document
}

TEST_CASE("the clock that ages are counted on is kept from the first moment") {
  TestServer server;
  CHECK(server.run(server.plane->control().store.settings.find("service_clock")).value().has_value());
}

TEST_CASE("who asks without a key, or with too little of one") {
  TestServer server;
  const std::string nothing = server.limited_key("nothing", "");
  for (const RouteEntry& route : routes()) {
    const std::string method = route.method == "*" ? "GET" : std::string(route.method);
    CAPTURE(method);
    CAPTURE(route.pattern);
    const auto open = server.ask(method, filled(route.pattern), "", {{"Authorization", ""}});
    if (route.auth == Auth::open) {
      CHECK(open.status == 200);
      continue;
    }
    CHECK(open.status == 401);
    CHECK(open.message() == "Invalid credentials");
    if (route.auth != Auth::key || route.permission != "-") {
      const auto refused = server.ask(method, filled(route.pattern), "", {{"Authorization", "Bearer " + nothing}});
      CHECK(refused.status == 403);
      CHECK(refused.message() == "Access denied");
    }
    if (route.auth == Auth::key && route.handler == nullptr) {
      const auto missing = server.ask(method, filled(route.pattern), "{}");
      CHECK(missing.status == 501);
      CHECK(missing.message().find("is not available in this version of sebring") != std::string::npos);
    }
  }
}

TEST_CASE("bad tokens") {
  TestServer server;
  for (const std::string token : {"", "Bearer", "Bearer ", "Bearer x", "Basic abc", "Bearer dtn_0000",
                                  "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}) {
    CAPTURE(token);
    CHECK(server.ask("GET", "/sandbox", "", {{"Authorization", token}}).status == 401);
  }
  const auto foreign =
      server.ask("GET", "/sandbox", "", {{"X-Daytona-Organization-ID", "11111111-1111-4111-8111-111111111111"}});
  CHECK(foreign.status == 403);
  CHECK(foreign.message() == "Invalid authentication context");
  for (const std::string no_id : {"", "AbCdEfGh0123456789IjKlMnOpQrStUv", "x"}) {
    CAPTURE(no_id);
    CHECK(server.ask("GET", "/sandbox", "", {{"X-Daytona-Organization-ID", no_id}}).status == 200);
  }
}

TEST_CASE("errors have their shape") {
  TestServer server;
  const auto missing = server.ask("GET", "/sandbox/nope?verbose=1");
  CHECK(missing.status == 404);
  std::vector<std::string> names;
  for (const auto& field : missing.json.as_object()) names.emplace_back(field.key());
  CHECK(names == std::vector<std::string>{"path", "timestamp", "statusCode", "error", "message", "code", "source"});
  CHECK(missing.field("path") == "/api/sandbox/nope?verbose=1");
  CHECK(missing.json.at("statusCode").as_int64() == 404);
  CHECK(missing.field("error") == "Not Found");
  CHECK(missing.message() == "Sandbox with ID or name nope not found");
  CHECK(missing.field("code") == "NOT_FOUND");
  CHECK(missing.field("source") == "DAYTONA_API");
  CHECK(parse_iso8601(missing.field("timestamp")));
  CHECK(missing.headers.find("X-Daytona-Api-Version") == "0.190.0");
  const auto full = error_response(fail(Errc::unavailable, "busy", "retry_after").error(), "/api/sandbox", 0);
  CHECK(full.status == 503);
  CHECK(full.headers.find("Retry-After") == "1");
  CHECK(server.ask("GET", "/nothing/here").message() == "Cannot GET /api/nothing/here");
  CHECK(server.ask("PATCH", "/sandbox").status == 404);
  CHECK(server.ask("GET", "/sandbox/%zz").status == 400);
}

TEST_CASE("bad bodies and queries change nothing") {
  TestServer server;
  struct Row {
    const char* method;
    const char* path;
    std::string body;
    int status;
    const char* part;
  };
  const std::string deep = std::string(100, '[');
  const Row rows[] = {
      {"POST", "/sandbox", "{", 400, "Invalid JSON"},
      {"POST", "/sandbox", "[]", 400, "expected an object"},
      {"POST", "/sandbox", "null", 400, "expected an object"},
      {"POST", "/sandbox", "{\"name\": \"\xff\"}", 400, "Invalid JSON"},
      {"POST", "/sandbox", R"({"name": "a", "name": "b"})", 400, "twice"},
      {"POST", "/sandbox", R"({"x": )" + deep, 400, "Invalid JSON"},
      {"POST", "/sandbox", R"({"name": 5})", 400, "name must be a string"},
      {"POST", "/sandbox", R"({"public": "yes"})", 400, "public must be a boolean value"},
      {"POST", "/sandbox", R"({"env": {"A": 1}})", 400, "env"},
      {"POST", "/sandbox", R"({"labels": ["a"]})", 400, "labels must be an object"},
      {"POST", "/sandbox", R"({"autoStopInterval": 1.5})", 400, "autoStopInterval must be an integer number"},
      {"POST", "/sandbox", R"({"autoStopInterval": -5})", 400, "Auto-stop interval must be non-negative"},
      {"POST", "/sandbox", R"({"autoStopInterval": 99999999999})", 400, "Auto-stop interval must not be greater"},
      {"POST", "/sandbox", R"({"cpu": 2})", 400, "Cannot specify Sandbox resources when using a snapshot"},
      {"POST", "/sandbox", R"({"snapshot": "nope"})", 400, "Snapshot nope not found"},
      {"POST", "/sandbox", R"({"target": "mars"})", 404, "Region not found"},
      {"POST", "/sandbox", R"({"volumes": [{"volumeId": "v"}]})", 400, "volumes.0.mountPath"},
      {"POST", "/sandbox", R"({"volumes": [{"volumeId": "v", "mountPath": "/etc"}]})", 400, "system directory"},
      {"POST", "/sandbox", R"({"buildInfo": {"dockerfileContent": "FROM x"}})", 501, "snapshots are made of sandboxes"},
      {"POST", "/sandbox", R"({"image": "python:3.12"})", 501, "image is not available"},
      {"POST", "/sandbox", R"({"domainAllowList": "a.com"})", 501, "networkAllowList takes addresses"},
      {"POST", "/snapshots", R"({"name": "n", "imageName": "python:3.12"})", 501, "snapshots are made of sandboxes"},
      {"POST", "/volumes", R"({"name": "v"})", 501, "a stopped sandbox keeps its disk"},
      {"POST", "/sandbox", R"({"buildInfo": {}, "snapshot": "x"})", 400, "when using a build info entry"},
      {"POST", "/sandbox", R"({"secrets": [{"A": "b"}]})", 501, "secrets is not available"},
      {"POST", "/sandbox", R"({"gpuType": ["H100"]})", 501, "gpuType is not available"},
      {"POST", "/sandbox", R"({"name": "see http://x"})", 400, "must not contain HTML tags"},
      {"POST", "/sandbox", "{\"name\": \"" + std::string(2'000'000, 'x') + "\"}", 413, "too large"},
      {"GET", "/sandbox?limit=0", "", 400, "limit must not be less than 1"},
      {"GET", "/sandbox?limit=201", "", 400, "limit must not be greater than 200"},
      {"GET", "/sandbox?limit=x", "", 400, "limit must be an integer number"},
      {"GET", "/sandbox?labels=%7B", "", 400, "Invalid labels JSON format"},
      {"GET", "/sandbox?labels=%5B%5D", "", 400, "Invalid labels JSON format"},
      {"GET", "/sandbox?states=destroyed", "", 400, "states"},
      {"GET", "/sandbox?states=wrong", "", 400, "states"},
      {"GET", "/sandbox?sort=color", "", 400, "sort must be one of the following values"},
      {"GET", "/sandbox?order=up", "", 400, "order must be one of"},
      {"GET", "/sandbox?cursor=!!", "", 400, "Invalid cursor provided: !!"},
      {"GET", "/sandbox?cursor=e30=", "", 400, "Invalid cursor provided: e30="},
      {"GET", "/sandbox?createdAtAfter=yesterday", "", 400, "createdAtAfter must be a valid ISO 8601 date"},
      {"GET", "/sandbox?isPublic=perhaps", "", 400, "isPublic must be a boolean value"},
      {"GET", "/sandbox/paginated?page=0", "", 400, "page must not be less than 1"},
      {"DELETE", "/snapshots/daytona-small", "", 400, "uuid is expected"},
      {"GET", "/snapshots/nope", "", 404, "Snapshot with ID or name nope not found"},
      {"POST", "/api-keys", R"({"permissions": []})", 400, "name"},
      {"POST", "/api-keys", R"({"name": "x", "permissions": ["fly"]})", 400, "permissions"},
      {"POST", "/api-keys", R"({"name": "x"})", 400, "permissions must be an array"},
      {"POST", "/api-keys", R"({"name": "x", "permissions": [], "expiresAt": "soon"})", 400, "expiresAt"},
      {"POST", "/api-keys", R"({"name": "x", "permissions": [], "expiresAt": "2001-01-01T00:00:00Z"})", 400, "future"},
      {"POST", "/api-keys", R"({"name": "test", "permissions": []})", 409, "API key with this name already exists"},
      {"DELETE", "/api-keys/nobody", "", 404, "API key not found"},
      {"GET", "/organizations/nobody", "", 404, "Organization with ID nobody not found"},
      {"GET", "/object-storage/push-access", "", 501, "not available"},
      {"GET", "/regions/mars", "", 404, "Region not found"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    CAPTURE(row.body.substr(0, 80));
    const auto answer = server.ask(row.method, row.path, row.body);
    CHECK(answer.status == row.status);
    CAPTURE(answer.message());
    CHECK(answer.message().find(row.part) != std::string::npos);
  }
  CHECK(server.runner->calls == 0);
  CHECK(server.ask("GET", "/sandbox").json.at("items").as_array().empty());
}

TEST_CASE("a sandbox on the wire") {
  TestServer server;
  // A body without a Content-Type is JSON.
  const auto made =
      server.ask("POST", "/sandbox", R"({"name": "one", "labels": {"a": "b"}, "env": {"K": "v"}, "x": 1})");
  REQUIRE(made.status == 200);
  const bj::object& s = made.json.as_object();
  CHECK(s.at("state") == "started");
  CHECK(s.at("desiredState") == "started");
  for (const char* whole : {"cpu", "gpu", "memory", "disk", "autoStopInterval", "autoArchiveInterval",
                            "autoDeleteInterval", "autoPauseInterval"}) {
    CAPTURE(whole);
    CHECK(s.at(whole).is_int64());
  }
  for (const char* flag : {"kvm", "public", "networkBlockAll", "recoverable"}) CHECK(s.at(flag).is_bool());
  for (const char* unset : {"errorReason", "networkAllowList", "domainAllowList"}) CHECK(s.at(unset).is_null());
  CHECK(s.at("env") == bj::value{{"K", "v"}});
  CHECK(s.at("labels") == bj::value{{"a", "b"}});
  CHECK(s.at("snapshot") == "default");
  CHECK(s.at("toolboxProxyUrl") == "http://localhost:3000/toolbox");
  CHECK(s.at("createdAt").as_string().ends_with("Z"));
  CHECK(s.at("volumes").as_array().empty());
  CHECK_FALSE(s.contains("backupCreatedAt"));
  CHECK(made.text.find("auth") == std::string::npos);

  const std::string id = made.field("id");
  CHECK(server.ask("GET", "/sandbox/one").field("id") == id);
  CHECK(server.ask("GET", "/sandbox/" + id).json == made.json);
  const auto list = server.ask("GET", "/sandbox");
  const bj::object& item = list.json.at("items").at(0).as_object();
  CHECK(list.json.at("nextCursor").is_null());
  CHECK_FALSE(item.contains("env"));
  CHECK(item.at("networkBlockAll") == false);

  CHECK(server.ask("POST", "/sandbox", R"({"name": "one"})").message() == "Sandbox with name one already exists");
  CHECK(server.ask("PUT", "/sandbox/one/labels", R"({"labels": {"c": "d"}})").json ==
        bj::value{{"labels", {{"c", "d"}}}});
  CHECK(server.ask("PUT", "/sandbox/one/labels", "{}").status == 400);
  CHECK(server.ask("POST", "/sandbox/one/autostop/0").json.at("autoStopInterval") == 0);
  CHECK(server.ask("POST", "/sandbox/one/autostop/0").status == 201);
  CHECK(server.ask("POST", "/sandbox/one/autostop/-1").status == 400);
  CHECK(server.ask("POST", "/sandbox/one/autostop/soon").status == 400);
  CHECK(server.ask("POST", "/sandbox/one/autoarchive/0").json.at("autoArchiveInterval") == 43200);
  CHECK(server.ask("POST", "/sandbox/one/autoarchive/99999999").json.at("autoArchiveInterval") == 43200);
  CHECK(server.ask("POST", "/sandbox/one/autodelete/-7").json.at("autoDeleteInterval") == -1);
  CHECK(server.ask("POST", "/sandbox/one/ttl/60").json.at("autoDestroyAt").is_string());
  CHECK(server.ask("POST", "/sandbox/one/public/true").json.at("public") == true);
  CHECK(server.ask("POST", "/sandbox/one/public/maybe").status == 400);
  CHECK(server.ask("POST", "/sandbox/one/last-activity").status == 201);
  CHECK(server.ask("GET", "/sandbox/one/toolbox-proxy-url").json ==
        bj::value{{"url", "http://localhost:3000/toolbox"}});
  CHECK(server.ask("GET", "/sandbox/one/ports/3000/preview-url").field("url") ==
        "http://3000-" + id + ".preview.localhost:3000");
  CHECK(server.ask("GET", "/sandbox/one/ports/0/preview-url").message() == "Invalid port");
  CHECK(server.ask("GET", "/sandbox/one/ports/3000/signed-preview-url?expiresInSeconds=0").message() ==
        "expiresInSeconds must be between 1 second and 24 hours");
  const auto link = server.ask("GET", "/sandbox/one/ports/3000/signed-preview-url");
  CHECK(link.field("token").size() == 16);
  CHECK(server.ask("POST", "/sandbox/one/ports/3000/signed-preview-url/" + link.field("token") + "/expire").status ==
        201);
  const auto ssh = server.ask("POST", "/sandbox/one/ssh-access?expiresInMinutes=5");
  CHECK(ssh.field("sshCommand") == "ssh -p 2222 " + ssh.field("token") + "@localhost");
  CHECK(server.ask("GET", "/sandbox/ssh-access/validate?token=" + ssh.field("token")).json.at("valid") == true);
  server.ask("DELETE", "/sandbox/one/ssh-access");
  CHECK(server.ask("GET", "/sandbox/ssh-access/validate?token=" + ssh.field("token")).json.at("valid") == false);

  CHECK(server.ask("POST", "/sandbox/one/start").status == 200);
  CHECK(server.ask("POST", "/sandbox/one/archive").message() == "Sandbox is not stopped");
  CHECK(server.ask("POST", "/sandbox/one/stop?force=true").field("state") == "stopped");
  CHECK(server.ask("POST", "/sandbox/one/stop").message() == "Sandbox is not in a stoppable state");
  const auto deleted = server.ask("DELETE", "/sandbox/one");
  CHECK(deleted.status == 200);
  CHECK(server.ask("GET", "/sandbox/" + id).status == 404);
  CHECK(server.ask("DELETE", "/sandbox/" + id).status == 404);
}

TEST_CASE("a create that is asked twice with one key makes one sandbox") {
  TestServer server;
  const std::vector<net::Parameter> key = {{"Idempotency-Key", "attempt-1"}};
  const auto first = server.ask("POST", "/sandbox", R"({"labels": {"a": "b"}})", key);
  const auto again = server.ask("POST", "/sandbox", R"({"labels": {"a": "b"}})", key);
  CHECK(again.status == 200);
  CHECK(again.field("id") == first.field("id"));
  CHECK(server.ask("POST", "/sandbox", "{}", key).status == 422);
  CHECK(server.ask("POST", "/sandbox", "{}", {{"Idempotency-Key", std::string(300, 'x')}}).status == 400);
  // What failed was not made: the same key may try again.
  server.runner->next_error = Error(Errc::internal, "no");
  CHECK(server.ask("POST", "/sandbox", "{}", {{"Idempotency-Key", "2"}}).status == 400);
  const auto made = server.ask("POST", "/sandbox", "{}", {{"Idempotency-Key", "2"}});
  CHECK(made.field("state") == "started");
  CHECK(server.ask("POST", "/sandbox", "{}", {{"Idempotency-Key", "2"}}).field("id") == made.field("id"));
  CHECK(server.ask("DELETE", "/sandbox/" + made.field("id")).status == 200);
  const std::string path = "/sandbox/" + first.field("id") + "/fork";
  const auto fork = server.ask("POST", path, "{}", {{"Idempotency-Key", "3"}});
  CHECK(server.ask("POST", path, "{}", {{"Idempotency-Key", "3"}}).field("id") == fork.field("id"));
  CHECK(server.ask("GET", "/sandbox").json.at("items").as_array().size() == 2);
}

TEST_CASE("lists: cursors, filters, sorts") {
  TestServer server;
  for (int i = 0; i < 25; ++i) {
    server.clock.wall += 1000;
    const std::string n = std::to_string(i);
    server.ask("POST", "/sandbox",
               R"({"name": "box-)" + n + R"(", "labels": {"odd": ")" + (i % 2 == 0 ? "no" : "yes") + R"("}})");
  }
  for (const char* order : {"sort=name&order=asc", "sort=createdAt&order=desc", "sort=lastActivityAt", "sort=cpu",
                            "sort=memoryGib&order=asc", "sort=diskGib"}) {
    CAPTURE(order);
    std::set<std::string> seen;
    std::string cursor;
    int pages = 0;
    do {
      const auto page = server.ask("GET", std::string("/sandbox?limit=4&") + order +
                                              (cursor.empty() ? "" : "&cursor=" + percent_encode(cursor)));
      REQUIRE(page.status == 200);
      for (const auto& item : page.json.at("items").as_array()) {
        CHECK(seen.insert(std::string(item.at("id").as_string())).second);
      }
      cursor = page.field("nextCursor");
      ++pages;
    } while (!cursor.empty() && pages < 20);
    CHECK(seen.size() == 25);
    CHECK(pages == 7);
  }
  struct Row {
    const char* query;
    std::size_t count;
  } rows[] = {{"labels=%7B%22odd%22%3A%22yes%22%7D", 12},
              {"labels=%7B%22odd%22%3A%22yes%22%2C%22x%22%3A%22y%22%7D", 0},
              {"name=BOX-1", 11},
              {"name=box_", 0},
              {"states=started&states=stopped", 25},
              {"states[]=stopped", 0},
              {"states=error,started", 25},
              {"snapshots=default", 25},
              {"snapshots=other", 0},
              {"regionIds=us", 25},
              {"regionIds=mars", 0},
              {"minCpu=2", 0},
              {"maxCpu=1&minDiskGiB=3", 25},
              {"isPublic=true", 0},
              {"isRecoverable=false", 25},
              {"createdAtAfter=2001-01-01T00:00:00Z", 25},
              {"createdAtBefore=2001-01-01", 0},
              {"includeErroredDeleted=true&sandboxClasses=container", 25}};
  for (const Row& row : rows) {
    CAPTURE(row.query);
    CHECK(server.ask("GET", std::string("/sandbox?") + row.query).json.at("items").as_array().size() == row.count);
  }
  const auto numbered = server.ask("GET", "/sandbox/paginated?page=3&limit=10&sort=name&order=asc");
  CHECK(numbered.json.at("total") == 25);
  CHECK(numbered.json.at("totalPages") == 3);
  CHECK(numbered.json.at("page") == 3);
  CHECK(numbered.json.at("items").as_array().size() == 5);
  CHECK(numbered.json.at("items").at(0).as_object().contains("env"));
}

TEST_CASE("SDKs are told states that they know") {
  TestServer server;
  const std::string id = server.ask("POST", "/sandbox", "{}").field("id");
  REQUIRE(server.ask("POST", "/sandbox/" + id + "/pause").status == 200);
  struct Row {
    const char* version;
    const char* state;
  } rows[] = {{"0.160.0", "stopped"}, {"v0.187.0", "stopped"},    {"0.0.1", "stopped"},    {"0.189.0", "paused"},
              {"0.226.1", "paused"},  {"1.0.0", "paused"},        {"0.0.0-dev", "paused"}, {"unknown", "paused"},
              {"0.", "paused"},       {"0.99999999999", "paused"}};
  for (const Row& row : rows) {
    CAPTURE(row.version);
    const std::vector<net::Parameter> as = {{"X-Daytona-SDK-Version", row.version}};
    const auto one = server.ask("GET", "/sandbox/" + id, "", as);
    CHECK(one.field("state") == row.state);
    CHECK(one.field("desiredState") == row.state);
    for (const char* list : {"/sandbox", "/sandbox/paginated"}) {
      CHECK(server.ask("GET", list, "", as).json.at("items").at(0).at("state") == row.state);
    }
  }
  CHECK(server.ask("GET", "/sandbox/" + id).field("state") == "paused");
}

TEST_CASE("keys: shown once, permissions, expiry, revoked at once") {
  TestServer server;
  const auto made =
      server.ask("POST", "/api-keys",
                 R"({"name": "ci", "permissions": ["write:sandboxes"], "expiresAt": "2030-01-01T00:00:00Z"})");
  REQUIRE(made.status == 201);
  const std::string value = made.field("value");
  CHECK(value.size() == 68);
  CHECK(value.starts_with("dtn_"));
  const std::vector<net::Parameter> with = {{"Authorization", "Bearer " + value}};
  CHECK(server.ask("GET", "/api-keys/current", "", with).field("name") == "ci");
  const auto list = server.ask("GET", "/api-keys");
  CHECK(list.text.find(value) == std::string::npos);
  CHECK(list.json.as_array().size() == 2);
  CHECK(server.ask("GET", "/api-keys/ci").field("value") == "dtn********************" + value.substr(65));
  CHECK(server.ask("POST", "/sandbox", "{}", with).status == 200);
  CHECK(server.ask("DELETE", "/sandbox/x", "", with).status == 403);
  // What it may not do itself it cannot give away.
  CHECK(server.ask("POST", "/api-keys", R"({"name": "x", "permissions": ["delete:sandboxes"]})", with).status == 403);
  CHECK(server.ask("DELETE", "/api-keys/test", "", with).status == 403);
  server.clock.wall = *parse_iso8601("2030-01-01T00:00:00Z");
  CHECK(server.ask("GET", "/sandbox", "", with).status == 401);
  server.clock.wall = *parse_iso8601("2029-01-01T00:00:00Z");
  CHECK(server.ask("GET", "/sandbox", "", with).status == 200);
  CHECK(server.ask("DELETE", "/api-keys/ci").status == 204);
  CHECK(server.ask("GET", "/sandbox", "", with).status == 401);
  CHECK(server.admin("GET", "/v1/keys").json.as_array().size() == 1);
  CHECK(server.admin("POST", "/v1/keys", R"({"name": "test"})").status == 409);
  CHECK(server.admin("DELETE", "/v1/keys/test").status == 204);
  CHECK(server.admin("DELETE", "/v1/keys/test").status == 404);
  CHECK(server.admin("GET", "/v1/nothing").status == 404);
  CHECK(server.ask("GET", "/sandbox").status == 401);
}

TEST_CASE("snapshots, regions, configuration, the rest") {
  TestServer server;
  const auto list = server.ask("GET", "/snapshots");
  CHECK(list.json.at("total") == 3);
  std::set<std::string> names;
  for (const auto& item : list.json.at("items").as_array()) names.insert(std::string(item.at("name").as_string()));
  CHECK(names == std::set<std::string>{"daytona-small", "daytona-medium", "daytona-large"});
  const auto large = server.ask("GET", "/snapshots/daytona-large");
  CHECK(large.json.at("cpu") == 4);
  CHECK(large.json.at("mem") == 8);
  CHECK(large.json.at("disk") == 10);
  CHECK(large.json.at("general") == true);
  CHECK(server.ask("GET", "/snapshots/default").json.at("cpu") == 1);
  CHECK(server.ask("DELETE", "/snapshots/" + large.field("id")).status == 403);
  const auto made = server.ask("POST", "/sandbox", R"({"snapshot": "daytona-medium", "target": "eu"})");
  CHECK(made.json.at("memory") == 4);
  CHECK(made.field("target") == "default");
  CHECK(server.ask("GET", "/config").field("defaultSnapshot") == "default");
  CHECK(server.ask("GET", "/shared-regions").json.at(0).at("id") == "default");
  CHECK(server.ask("GET", "/health").field("status") == "ok");
  CHECK(server.ask("GET", "/health/ready").status == 200);
  const auto me = server.ask("GET", "/users/me");
  CHECK(me.json.at("emailVerified") == true);
  const auto organizations = server.ask("GET", "/organizations");
  const std::string id(organizations.json.at(0).at("id").as_string());
  CHECK(server.ask("GET", "/organizations/" + id + "/usage").json.at("regionUsage").at(0).at("currentCpuUsage") == 2);
  const auto page = server.ask("GET", "", "", {{"Authorization", ""}});
  CHECK(page.text.starts_with("<!doctype html>"));
  const auto preflight = server.ask("OPTIONS", "/sandbox", "",
                                    {{"Origin", "http://a.test"}, {"Access-Control-Request-Headers", "authorization"}});
  CHECK(preflight.status == 204);
  CHECK(preflight.headers.find("Access-Control-Allow-Origin") == "http://a.test");
  CHECK(preflight.headers.find("Access-Control-Allow-Headers") == "authorization");
  CHECK_FALSE(preflight.headers.find("Access-Control-Allow-Credentials"));
}

}  // namespace
}  // namespace sebring::api
