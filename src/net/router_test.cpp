#include "net/router.h"

#include <doctest/doctest.h>

using sebring::net::Router;

namespace {
Router make() {
  Router router;
  auto nothing = [](sebring::net::Exchange&,
                    const sebring::net::PathParameters&) -> sebring::net::asio::awaitable<void> { co_return; };
  for (const char* pattern :
       {"/sandbox", "/sandbox/paginated", "/sandbox/{id}", "/sandbox/{id}/start", "/toolbox/{id}/{rest...}"}) {
    router.add("GET", pattern, nothing);
  }
  router.add("POST", "/sandbox", nothing);
  router.add("*", "/any/{rest...}", nothing);
  return router;
}
}  // namespace

TEST_CASE("the route that fits best is found") {
  const Router router = make();
  struct Row {
    const char* method;
    const char* path;
    const char* pattern;
  } rows[] = {{"GET", "/sandbox", "/sandbox"},
              {"GET", "/sandbox/", "/sandbox"},
              {"HEAD", "/sandbox", "/sandbox"},
              {"POST", "/sandbox", "/sandbox"},
              {"GET", "/sandbox/paginated", "/sandbox/paginated"},
              {"GET", "/sandbox/x", "/sandbox/{id}"},
              {"GET", "/sandbox/paginated/start", "/sandbox/{id}/start"},
              {"GET", "/toolbox/x/files/a%2Fb/c", "/toolbox/{id}/{rest...}"},
              {"PATCH", "/any/x", "/any/{rest...}"}};
  for (const Row& row : rows) {
    CAPTURE(row.path);
    const auto match = router.match(row.method, row.path);
    REQUIRE(match.route != nullptr);
    CHECK(match.route->pattern == row.pattern);
  }
  CHECK(router.match("GET", "/toolbox/a%20b/files/a%2Fb/c").parameters["id"] == "a b");
  CHECK(router.match("GET", "/toolbox/x/files/a%2Fb/c").parameters["rest"] == "files/a%2Fb/c");
}

TEST_CASE("what is no route") {
  const Router router = make();
  CHECK(router.match("GET", "/nope").route == nullptr);
  CHECK_FALSE(router.match("GET", "/nope").path_known);
  CHECK(router.match("DELETE", "/sandbox").route == nullptr);
  CHECK(router.match("DELETE", "/sandbox").path_known);
  CHECK(router.match("GET", "/sandbox/%zz").bad_escape);
  CHECK(router.match("GET", "/sandbox/a%00b").bad_escape);
  CHECK(router.match("GET", "/sandbox//start").route == nullptr);
}
