#include <doctest/doctest.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "api/test_server.h"
#include "control/sandbox_use_cases.h"

namespace sebring::api {
namespace {

using Socket = std::unique_ptr<net::WebSocket>;

asio::awaitable<Result<Socket>> open(std::string path, std::string query) {
  SB_CO_TRY(auto stream, co_await net::connect_unix(path));
  co_return co_await net::open_websocket(std::move(stream), "localhost", "/api/socket.io/?" + query, {});
}

asio::awaitable<Result<std::string>> next(net::WebSocket& socket) {
  SB_CO_TRY(auto message, co_await socket.read());
  if (!message) co_return fail(Errc::gone, "closed");
  co_return message->data;
}

asio::awaitable<Result<Socket>> connect(std::string path, std::string token) {
  SB_CO_TRY(auto socket, co_await open(path, "source=sdk-python&transport=websocket&EIO=4"));
  SB_CO_TRY(auto hello, co_await next(*socket));
  if (!hello.starts_with("0{")) co_return fail(Errc::internal, hello);
  SB_CO_CHECK(co_await socket->send_text("40{\"token\":\"" + token + "\"}"));
  SB_CO_TRY(auto answer, co_await next(*socket));
  if (!answer.starts_with("40{\"sid\":")) co_return fail(Errc::unauthorized, answer);
  co_return std::move(socket);
}

// Events until one that has `part` in it.
asio::awaitable<Result<std::string>> until(net::WebSocket& socket, std::string part) {
  for (;;) {
    SB_CO_TRY(auto text, co_await next(socket));
    if (text.find(part) != std::string::npos) co_return text;
  }
}

// Whether the server ends it, before its first ping and within a time that no machine is too slow for.
asio::awaitable<bool> is_cut(net::WebSocket& socket) {
  using namespace asio::experimental::awaitable_operators;
  auto heard = co_await (next(socket) || net::sleep_for(std::chrono::seconds(60)));
  co_return heard.index() == 0 && !std::get<0>(heard) && std::get<0>(heard).error().code() == Errc::gone;
}

TEST_CASE("a client hears what happens to its organization's sandboxes") {
  TestServer server;
  const std::string path = server.directory.path + "/api.sock";
  auto socket = server.run(connect(path, server.key));
  REQUIRE(socket);
  const auto made = server.ask("POST", "/sandbox", R"({"name": "one"})");
  auto created = server.run(next(**socket)).value();
  CHECK(created.starts_with("42[\"sandbox.created\",{\"id\":\"" + made.field("id")));
  CHECK(created.find("\"kvm\":false") != std::string::npos);
  auto started = server.run(until(**socket, "\"newState\":\"started\"")).value();
  CHECK(started.starts_with("42[\"sandbox.state.updated\",{\"sandbox\":{"));
  CHECK(started.find("\"oldState\":\"creating\"") != std::string::npos);
  server.ask("POST", "/sandbox/one/stop");
  CHECK(server.run(until(**socket, "\"newDesiredState\":\"stopped\"")));
  CHECK(server.run(until(**socket, "\"newState\":\"stopped\"")));
  server.ask("DELETE", "/sandbox/one");
  CHECK(server.run(until(**socket, "\"newState\":\"destroyed\"")));
}

TEST_CASE("who may not listen") {
  TestServer server;
  const std::string path = server.directory.path + "/api.sock";
  for (const char* token : {"", "dtn_wrong", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}) {
    auto socket = server.run(connect(path, token));
    REQUIRE_FALSE(socket);
    CHECK(socket.error().message() == R"(44{"message":"Unauthorized"})");
  }
  for (const char* query : {"transport=polling&EIO=4", "transport=websocket&EIO=3", "EIO=4", ""}) {
    CHECK_FALSE(server.run(open(path, query)));
  }
  CHECK(server.ask("GET", "/socket.io/?transport=websocket&EIO=4").status == 400);
  CHECK(server.ask("GET", "/socket.io/?transport=polling&EIO=4").json.at("message") == "Transport unknown");
}

TEST_CASE("an upgrade that can not be is told what it is") {
  TestServer server;
  for (const char* key : {"c2hvcnQ=", "not base64"}) {
    const auto refused = server.ask("GET", "/socket.io/?transport=websocket&EIO=4", "",
                                    {{"Connection", "Upgrade"},
                                     {"Upgrade", "websocket"},
                                     {"Sec-WebSocket-Version", "13"},
                                     {"Sec-WebSocket-Key", key}});
    CHECK(refused.status == 400);
    CHECK(refused.message() == "bad Sec-WebSocket-Key");
  }
}

TEST_CASE("a key that is revoked or expires ends its connection though nothing happens") {
  TestServer server;
  const std::string path = server.directory.path + "/api.sock";
  const auto expiring = server.ask(
      "POST", "/api-keys",
      R"({"name": "expiring", "permissions": [], "expiresAt": ")" + iso8601(server.clock.wall_ms() + 60'000) + "\"}");
  auto expired = server.run(connect(path, expiring.field("value")));
  auto revoked = server.run(connect(path, server.limited_key("revoked", "")));
  REQUIRE(expired);
  REQUIRE(revoked);
  server.ask("DELETE", "/api-keys/revoked");
  server.clock.advance_minutes(2);
  CHECK(server.run(is_cut(**revoked)));
  CHECK(server.run(is_cut(**expired)));
}

TEST_CASE("a revoked key hears nothing more") {
  TestServer server;
  const std::string path = server.directory.path + "/api.sock";
  const std::string key = server.limited_key("listener", "");
  auto socket = server.run(connect(path, key));
  REQUIRE(socket);
  server.ask("DELETE", "/api-keys/listener");
  server.ask("POST", "/sandbox", "{}");
  const auto heard = server.run(next(**socket));
  REQUIRE_FALSE(heard);
  CHECK(heard.error().code() == Errc::gone);
}

TEST_CASE("one who does not read is cut, the others hear") {
  TestServer server;
  const std::string path = server.directory.path + "/api.sock";
  auto slow = server.run(connect(path, server.key));
  auto good = server.run(connect(path, server.key));
  REQUIRE(slow);
  REQUIRE(good);
  const auto sandbox = server.ask("POST", "/sandbox", R"({"name": "one"})");
  auto& control = server.plane->control();
  const auto row = server.run(control.store.sandboxes.find(sandbox.field("id"))).value().value();
  for (int i = 0; i < 60; ++i) {
    for (int k = 0; k < 100; ++k) control.events.publish({row.organization_id, control::SandboxCreated{row}});
    // The good one reads on meanwhile.
    for (int k = 0; k < 100; ++k) REQUIRE(server.run(next(**good)));
  }
  int heard = 0;
  while (server.run(next(**slow))) ++heard;
  CHECK(heard < 6'000);
}

}  // namespace
}  // namespace sebring::api
