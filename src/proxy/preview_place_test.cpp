#include "proxy/preview_place.h"

#include <doctest/doctest.h>

namespace {
using namespace sebring;
using namespace sebring::proxy;

PreviewPlace by_host() {
  return {.name = {3000, "0b8c1a52-7d4e-4f6a-9b3c-2d1e0f9a8b7c", false},
          .scheme = "https",
          .host = "3000-x.preview.test",
          .prefix = ""};
}
PreviewPlace by_path() {
  PreviewPlace place = by_host();
  place.host = "platform.test";
  place.prefix = "/preview/x/3000";
  return place;
}

TEST_CASE("cookies of a sandbox stay on its host") {
  struct Row {
    std::string_view value, confined;  // "": dropped
  } rows[] = {
      {"a=1", "a=1"},
      {"a=1; Path=/x; HttpOnly", "a=1; HttpOnly; Path=/x"},
      {"a=1; Domain=.preview.test; Secure", "a=1; Secure"},
      {"a=1; domain = preview.test", "a=1"},
      {"a=1;DOMAIN=test;Max-Age=5", "a=1; Max-Age=5"},
      {"a=1; Path=relative", "a=1; Path=/"},
      {"daytona-sandbox-auth-0b8c1a52=x", ""},
      {"Daytona-Sandbox-Auth-x=y; Path=/", ""},
      {" daytona-preview-page-accepted=true", ""},
      {"sebring_session=x", ""},
      {"=daytona-sandbox-auth-x=y", ""},
      {"; Domain=preview.test", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    CHECK(confine_cookie(row.value, by_host()).value_or("") == row.confined);
  }
  CHECK(*confine_cookie("a=1; Domain=platform.test", by_path()) == "pv_a=1; Path=/preview/x/3000/");
  CHECK(*confine_cookie("__Host-a=1; Path=/; Secure", by_path()) == "pv___Host-a=1; Secure; Path=/preview/x/3000/");
  CHECK(*confine_cookie("a=1; Path=/in", by_path()) == "pv_a=1; Path=/preview/x/3000/in");
}

TEST_CASE("redirects") {
  struct Row {
    std::string_view location, host, path;
  } rows[] = {
      {"/a", "/a", "/preview/x/3000/a"},
      {"a", "a", "a"},
      {"http://localhost:3000/a?b", "/a?b", "/preview/x/3000/a?b"},
      {"http://127.0.0.1:3000", "/", "/preview/x/3000/"},
      {"https://localhost:3000?q", "/?q", "/preview/x/3000/?q"},
      {"http://localhost:30001/a", "http://localhost:30001/a", "http://localhost:30001/a"},
      {"http://localhost:3000.evil/a", "http://localhost:3000.evil/a", "http://localhost:3000.evil/a"},
      {"https://elsewhere.example/", "https://elsewhere.example/", "https://elsewhere.example/"},
      {"//elsewhere.example/", "//elsewhere.example/", "//elsewhere.example/"},
      {"/preview/x/3000/a", "/preview/x/3000/a", "/preview/x/3000/a"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.location);
    for (const PreviewPlace& place : {by_host(), by_path()}) {
      net::ResponseHead answer{.status = 302};
      answer.headers.set("Location", std::string(row.location));
      to_visitor(answer, place);
      CHECK(*answer.headers.find("Location") == (place.by_path() ? row.path : row.host));
    }
  }
}

TEST_CASE("what the server gets to see") {
  net::RequestHead head{.method = "GET", .target = "/x", .path = "/x", .query = "a=1&DAYTONA_SANDBOX_AUTH_KEY=t&b"};
  for (auto [name, value] : {std::pair{"Host", "3000-x.preview.test"},
                             {"Origin", "https://3000-x.preview.test"},
                             {"Authorization", "Bearer mine"},
                             {"X-Daytona-Preview-Token", "t"},
                             {"X-DAYTONA-anything", "t"},
                             {"Cookie", "a=1; daytona-sandbox-auth-x=s; b=2"},
                             {"Cookie", "daytona-preview-page-accepted=true"},
                             {"Connection", "upgrade"},
                             {"Upgrade", "websocket"}}) {
    head.headers.add(name, value);
  }
  net::RequestHead kept = head;
  to_server(kept, by_host(), "/x", false);
  CHECK(kept.target == "/x?a=1&b");
  CHECK(*kept.headers.find("Host") == "localhost:3000");
  CHECK(*kept.headers.find("Origin") == "https://3000-x.preview.test");
  CHECK(*kept.headers.find("Authorization") == "Bearer mine");
  CHECK(*kept.headers.find("Cookie") == "a=1; b=2");
  CHECK(kept.headers.count("Cookie") == 1);
  CHECK_FALSE(kept.headers.find("X-Daytona-Preview-Token"));
  CHECK_FALSE(kept.headers.find("x-daytona-anything"));
  CHECK_FALSE(kept.headers.find("Upgrade"));

  net::RequestHead without = head;
  to_server(without, by_host(), "/x", true);
  CHECK_FALSE(without.headers.find("Authorization"));

  // Only the first was asked about: what else may be ours does not go on.
  net::RequestHead several = head;
  for (const char* value : {"Bearer dtn_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                            "bearer eyJx.y.z", "Basic theirs"}) {
    several.headers.add("authorization", value);
  }
  to_server(several, by_host(), "/x", false);
  CHECK(several.headers.count("Authorization") == 2);
  CHECK(*several.headers.find("Authorization") == "Bearer mine");

  net::RequestHead path = head;
  path.headers.set("Cookie", "session=platform; pv_a=1; daytona-sandbox-auth-x=s; pv_b=2");
  to_server(path, by_path(), "/x", false);
  CHECK(*path.headers.find("Cookie") == "a=1; b=2");
}

TEST_CASE("what a page of the preview asks") {
  struct Row {
    std::string_view origin, type;
    bool upgrade;
    std::string_view origin_then;  // "": none
    bool forwarded_host;
  } const rows[] = {
      {"https://3000-x.preview.test", "", true, "http://localhost:3000", false},
      {"https://3000-x.preview.test", "", false, "", true},
      {"https://3000-x.preview.test", "application/json", false, "", true},
      {"https://3000-x.preview.test", "text/plain;charset=UTF-8", false, "", true},
      {"https://3000-x.preview.test", "Multipart/Form-Data; boundary=b", false, "https://3000-x.preview.test", true},
      {"https://3000-x.preview.test", "application/x-www-form-urlencoded", false, "https://3000-x.preview.test", true},
      {"http://3000-x.preview.test", "", true, "http://3000-x.preview.test", true},
      {"https://3001-x.preview.test", "", false, "https://3001-x.preview.test", true},
      {"https://evil.example", "", true, "https://evil.example", true},
      {"https://evil.example", "application/json", false, "https://evil.example", true},
      {"null", "", false, "null", true},
      {"", "", false, "", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.origin);
    CAPTURE(row.type);
    net::Headers headers;
    headers.add("X-Forwarded-Host", "3000-x.preview.test");
    if (!row.origin.empty()) headers.add("Origin", std::string(row.origin));
    if (!row.type.empty()) headers.add("Content-Type", std::string(row.type));
    name_own_page(headers, by_host(), row.upgrade);
    CHECK(headers.find("Origin").value_or("") == row.origin_then);
    CHECK(headers.find("X-Forwarded-Host").has_value() == row.forwarded_host);
  }
}

TEST_CASE("by path nothing speaks for the platform") {
  net::ResponseHead answer;
  answer.headers.set("Clear-Site-Data", "\"*\"");
  answer.headers.set("Service-Worker-Allowed", "/");
  answer.headers.set("Content-Security-Policy", "default-src *");
  to_visitor(answer, by_path());
  CHECK_FALSE(answer.headers.find("Clear-Site-Data"));
  CHECK_FALSE(answer.headers.find("Service-Worker-Allowed"));
  CHECK(answer.headers.count("Content-Security-Policy") == 2);
}

TEST_CASE("cookies of other hosts are not cleared") {
  struct Row {
    std::string_view said, then;
  } const rows[] = {
      {R"("cookies")", ""},
      {R"("cache", "cookies","storage")", R"("cache", "storage")"},
      {R"("*")", R"("cache", "storage")"},
      {R"("executionContexts")", R"("executionContexts")"},
      {"", ""},
  };
  for (const Row& row : rows) {
    net::ResponseHead answer;
    answer.headers.add("Clear-Site-Data", std::string(row.said));
    to_visitor(answer, by_host());
    CHECK(answer.headers.find("Clear-Site-Data").value_or("") == row.then);
  }
}

TEST_CASE("local paths") {
  for (std::string_view good : {"/", "/a", "/a?b=c#d", "/%2F"}) CHECK(is_local_path(good));
  for (std::string_view bad :
       {"", "a", "//evil", "/\\evil", "/a\\b", "http://evil/", "/a b", "/\t/evil", "/a\r\nSet: x"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_local_path(bad));
  }
}

}  // namespace
