// What a preview proxy of somebody else asks of the API.
#include <doctest/doctest.h>

#include "api/test_server.h"

using namespace sebring;
using namespace sebring::api;

TEST_CASE("a preview proxy learns what is public, whose token it has and where a link leads") {
  TestServer server;
  const auto made = server.ask("POST", "/sandbox", R"({"name": "one"})");
  const std::string id = made.field("id");
  const std::string nobody = "11111111-1111-4111-8111-111111111111";
  // A key without any permission is enough.
  const std::vector<net::Parameter> as_proxy = {{"Authorization", "Bearer " + server.limited_key("proxy", "")}};
  const auto ask = [&](const std::string& path) { return server.ask("GET", path, "", as_proxy); };

  CHECK(ask("/preview/" + id + "/public").status == 404);
  CHECK(ask("/preview/" + id + "/public").message() == "Sandbox with ID " + id + " not found");
  CHECK(ask("/preview/" + nobody + "/public").message() == "Sandbox with ID " + nobody + " not found");
  CHECK(ask("/preview/one/public").status == 404);  // by id only
  server.ask("POST", "/sandbox/one/public/true");
  CHECK(ask("/preview/" + id + "/public").status == 200);
  CHECK(ask("/preview/" + id + "/public").text == "true");

  const std::string token = server.ask("GET", "/sandbox/one/ports/3000/preview-url").field("token");
  CHECK(ask("/preview/" + id + "/validate/" + token).text == "true");
  CHECK(ask("/preview/" + id + "/access").text == "true");
  for (const std::string& wrong : {std::string("x"), token + "x", token.substr(1), std::string("%00"), nobody}) {
    CAPTURE(wrong);
    CHECK(ask("/preview/" + id + "/validate/" + wrong).status >= 400);
    CHECK(ask("/preview/" + id + "/validate/" + wrong).status <= 404);
  }
  CHECK(ask("/preview/" + nobody + "/validate/" + token).status == 404);

  const std::string link = server.ask("GET", "/sandbox/one/ports/3000/signed-preview-url").field("token");
  const auto found = ask("/preview/" + link + "/3000/sandbox-id");
  CHECK(found.status == 200);
  CHECK(found.text == id);  // bare, not a JSON string
  struct Row {
    std::string path;
    int status;
  } rows[] = {{link + "/3001", 403}, {link + "/0", 400},     {link + "/65536", 400},
              {link + "/http", 400}, {link + "x/3000", 403}, {"aaaaaaaaaaaaaaaa/3000", 403}};
  for (const Row& row : rows) {
    CAPTURE(row.path);
    CHECK(ask("/preview/" + row.path + "/sandbox-id").status == row.status);
  }
  CHECK(ask("/preview/" + link + "/3001/sandbox-id").message() == "Invalid or expired token");
  server.ask("POST", "/sandbox/one/ports/3000/signed-preview-url/" + link + "/expire");
  CHECK(ask("/preview/" + link + "/3000/sandbox-id").status == 403);

  CHECK(ask("/sandbox/" + id + "/organization").field("id") == made.field("organizationId"));
  CHECK(ask("/sandbox/" + nobody + "/organization").status == 404);
  CHECK(ask("/sandbox/" + nobody + "/organization").message() ==
        "Organization with sandbox ID " + nobody + " not found");

  server.ask("DELETE", "/sandbox/one");
  CHECK(ask("/preview/" + id + "/public").status == 404);
  CHECK(ask("/preview/" + id + "/validate/" + token).status == 404);
  CHECK(ask("/sandbox/" + id + "/organization").status == 404);
  for (const std::string path :
       {"/preview/x/public", "/preview/x/validate/y", "/preview/x/3000/sandbox-id", "/sandbox/x/organization"}) {
    CAPTURE(path);
    CHECK(server.ask("GET", path, "", {{"Authorization", "Bearer nothing"}}).status == 401);
  }
}
