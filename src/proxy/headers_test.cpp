#include "proxy/headers.h"

#include <doctest/doctest.h>

#include "proxy/authorize.h"
#include "proxy/trusted.h"

namespace {
using namespace sebring;
using namespace sebring::proxy;

TEST_CASE("one query key goes, the others keep their bytes") {
  struct Row {
    std::string_view query, left;
  } rows[] = {{"", ""},
              {"KEY=1", ""},
              {"a=1&KEY=1", "a=1"},
              {"KEY=1&a=%20+", "a=%20+"},
              {"a&&KEY=1&b=", "a&&b="},
              {"K%45Y=1&a=1", "a=1"},
              {"KEY", ""},
              {"KEY=1&KEY=2&a", "a"},
              {"KEYS=1&XKEY=2&key=3", "KEYS=1&XKEY=2&key=3"},
              {"a=KEY&b=%zz", "a=KEY&b=%zz"}};
  for (const Row& row : rows) {
    CAPTURE(row.query);
    CHECK(remove_query_key(row.query, "KEY") == row.left);
  }
}

net::RequestHead request(std::string_view method, std::string_view connection, std::vector<std::string_view> upgrades) {
  net::RequestHead head;
  head.method = method;
  if (!connection.empty()) head.headers.add("Connection", std::string(connection));
  for (std::string_view upgrade : upgrades) head.headers.add("Upgrade", std::string(upgrade));
  return head;
}

TEST_CASE("protocols that may be changed to") {
  CHECK(wanted_upgrade(request("GET", "Upgrade", {"websocket"})) == "websocket");
  CHECK(wanted_upgrade(request("GET", "keep-alive, upgrade", {"WebSocket"})) == "WebSocket");
  CHECK(wanted_upgrade(request("GET", "Upgrade", {"raw-process"})) == "raw-process");
  struct Row {
    std::string_view method, connection;
    std::vector<std::string_view> upgrades;
  } bad[] = {{"POST", "Upgrade", {"websocket"}},
             {"GET", "", {"websocket"}},
             {"GET", "close", {"websocket"}},
             {"GET", "Upgrade", {}},
             {"GET", "Upgrade", {"h2c"}},
             {"GET", "Upgrade, HTTP2-Settings", {"H2C"}},
             {"GET", "Upgrade", {"HTTP/2.0"}},
             {"GET", "Upgrade", {"TLS/1.0"}},
             {"GET", "Upgrade", {"websocket, h2c"}},
             {"GET", "Upgrade", {"websocket", "h2c"}},
             {"GET", "Upgrade", {""}}};
  for (const Row& row : bad) {
    CAPTURE(row.method);
    CAPTURE(row.upgrades.size());
    CHECK_FALSE(wanted_upgrade(request(row.method, row.connection, row.upgrades)).has_value());
  }
}

TEST_CASE("what concerns one hop stays there") {
  net::Headers headers;
  for (auto [name, value] : {std::pair{"Connection", "close, X-Named"},
                             {"connection", "Host, content-length"},
                             {"Host", "a"},
                             {"Content-Length", "5"},
                             {"X-Named", "1"},
                             {"Keep-Alive", "timeout=5"},
                             {"TE", "trailers"},
                             {"Trailer", "x"},
                             {"Transfer-Encoding", "chunked"},
                             {"Upgrade", "x"},
                             {"Proxy-Authorization", "Basic x"},
                             {"Proxy-Connection", "x"},
                             {"X-Kept", "1"}}) {
    headers.add(name, value);
  }
  std::string names;
  for (const net::Header& header : end_to_end(headers)) names.append(header.name).append(" ");
  CHECK(names == "Host Content-Length X-Kept ");
}

TEST_CASE("trailers that may follow") {
  net::Headers trailers;
  for (const char* name :
       {"X-Sum", "grpc-status", "Set-Cookie", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Location",
        "Cache-Control", "Access-Control-Allow-Origin", "Connection", "Unannounced"}) {
    trailers.add(name, "1");
  }
  const auto kept = [&](std::string_view names) {
    std::string text;
    for (const net::Header& field : announced_trailers(trailers, names)) text.append(field.name).append(" ");
    return text;
  };
  CHECK(kept("x-sum , GRPC-Status") == "X-Sum grpc-status ");
  CHECK(kept("set-cookie, content-length, content-encoding, transfer-encoding, location, cache-control, connection,"
             "access-control-allow-origin") == "");
  CHECK(kept("") == "");
  CHECK(kept("x-su, x-summ,,") == "");
}

TEST_CASE("forwarded headers of strangers do not count") {
  net::Headers headers;
  headers.set("X-Forwarded-For", "1.1.1.1");
  headers.set("X-Forwarded-Proto", "https");
  headers.set("Forwarded", "for=1.1.1.1");
  net::Headers trusted = headers;
  set_forwarded(headers, {.address = "9.9.9.9", .scheme = "http", .host = "h", .trusted = false});
  CHECK(*headers.find("X-Forwarded-For") == "9.9.9.9");
  CHECK(*headers.find("X-Forwarded-Proto") == "http");
  CHECK(*headers.find("X-Forwarded-Host") == "h");
  CHECK_FALSE(headers.find("Forwarded"));
  set_forwarded(trusted, {.address = "9.9.9.9", .scheme = "http", .host = "h", .trusted = true});
  CHECK(*trusted.find("X-Forwarded-For") == "1.1.1.1, 9.9.9.9");
  CHECK(*trusted.find("X-Forwarded-Proto") == "https");
}

TEST_CASE("cookies count for pages of the place itself only") {
  auto counts = [](std::vector<std::pair<std::string, std::string>> fields) {
    net::RequestHead head;
    for (auto& [name, value] : fields) head.headers.add(name, value);
    return cookie_may_count(head, "https://me");
  };
  CHECK(counts({}));
  CHECK(counts({{"Origin", "https://me"}}));
  CHECK(counts({{"Sec-Fetch-Site", "same-origin"}}));
  CHECK(counts({{"Sec-Fetch-Site", "none"}}));
  CHECK(counts({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}}));
  CHECK_FALSE(counts({{"Origin", "https://other"}}));
  CHECK_FALSE(counts({{"Origin", "http://me"}}));
  CHECK_FALSE(counts({{"Origin", "null"}}));
  CHECK_FALSE(counts({{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Mode", "no-cors"}}));
  CHECK_FALSE(counts({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "websocket"}}));
  CHECK_FALSE(counts({{"Origin", "https://other"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Mode", "navigate"}}));
}

TEST_CASE("trusted proxies") {
  auto trusted = TrustedProxies::parse({"10.1.0.0/16", "127.0.0.1", "fd00::/8", "::1/128"});
  REQUIRE(trusted.has_value());
  for (const char* good : {"10.1.0.0", "10.1.255.255", "127.0.0.1", "fd12::1", "::1", "::ffff:10.1.2.3"}) {
    CAPTURE(good);
    CHECK(trusted->contains(good));
  }
  for (const char* bad : {"10.2.0.0", "127.0.0.2", "fc00::1", "::2", "", "nonsense"}) {
    CAPTURE(bad);
    CHECK_FALSE(trusted->contains(bad));
  }
  for (const char* bad : {"10.0.0.0/33", "x", "10.0.0.0/", "10.0.0/8", "::/129", "10.0.0.0/-1", ""}) {
    CAPTURE(bad);
    CHECK_FALSE(TrustedProxies::parse({bad}).has_value());
  }
}

}  // namespace
