#pragma once
// The control plane with a fake runner behind a real HTTP server on a Unix socket, and a client for it.
#include <boost/asio/co_spawn.hpp>
#include <boost/json.hpp>

#include "api/control_plane.h"
#include "control/test_bench.h"
#include "net/client.h"
#include "net/server.h"

namespace sebring::api {

namespace bj = boost::json;

struct Answer {
  int status = 0;
  net::Headers headers;
  std::string text;
  bj::value json;  // null when the body is none

  std::string field(std::string_view name) const {
    const bj::value* value = json.is_object() ? json.get_object().if_contains(name) : nullptr;
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  }
  std::string message() const { return field("message"); }
};

class TestServer {
 public:
  TestServer() {
    control::ControlConfig config;
    config.data_dir = directory.path;
    config.admin_socket = directory.path + "/admin.sock";
    config.version = "1.2.3";
    config.public_url = "http://localhost:3000";
    auto fake = std::make_unique<control::FakeRunner>(io.get_executor());
    runner = fake.get();
    plane = std::make_unique<ControlPlane>(io, config, std::move(fake), clock);
    run(plane->start()).value();
    server = net::make_server(
        io.get_executor(), {}, [this](net::Exchange& exchange) { return plane->handle(exchange); }, head_error_body);
    server->listen_unix(directory.path + "/api.sock", 0600).value();
    const auto made = admin("POST", "/v1/keys", R"({"name": "test"})");
    key = made.field("value");
    const std::string digest = "sha256:" + std::string(64, '2');
    admin("PUT", "/v1/images/default",
          R"({"layer": {"digest": ")" + digest + R"(", "size": 1000}, "config": {"User": "daytona"}})");
  }
  ~TestServer() {
    run([](TestServer& self) -> asio::awaitable<bool> {
      co_await self.server->stop(std::chrono::milliseconds(50));
      co_await self.plane->stop();
      co_return true;
    }(*this));
    client.reset();
    admin_client.reset();
    io.restart();
    io.poll();
  }

  template <class T>
  T run(asio::awaitable<T> task) {
    std::optional<T> outcome;
    std::exception_ptr thrown;
    asio::co_spawn(io, std::move(task), [&](std::exception_ptr error, T value) {
      thrown = error;
      outcome.emplace(std::move(value));
    });
    io.restart();
    while (!outcome) io.run_one();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*outcome);
  }

  Answer ask(const std::string& method, const std::string& path, const std::string& body = "",
             std::vector<net::Parameter> more = {}) {
    net::Headers headers;
    headers.add("Authorization", "Bearer " + key);
    for (auto& header : more) headers.set(header.name, header.value);
    return send(*client, method, "/api" + path, headers, body);
  }
  Answer admin(const std::string& method, const std::string& path, const std::string& body = "") {
    return send(*admin_client, method, path, {}, body);
  }
  // A key with just these permissions.
  std::string limited_key(const std::string& name, const std::string& permissions) {
    return admin("POST", "/v1/keys", R"({"name": ")" + name + R"(", "permissions": [)" + permissions + "]}")
        .field("value");
  }

  control::TemporaryDirectory directory;
  asio::io_context io{1};
  control::FakeClock clock;
  control::FakeRunner* runner = nullptr;
  std::unique_ptr<ControlPlane> plane;
  std::unique_ptr<net::Server> server;
  std::string key;
  std::unique_ptr<net::Client> client = make_client("/api.sock");
  std::unique_ptr<net::Client> admin_client = make_client("/admin.sock");

 private:
  std::unique_ptr<net::Client> make_client(const char* name) {
    return std::make_unique<net::Client>([path = directory.path + name] { return net::connect_unix(path); });
  }
  Answer send(net::Client& through, const std::string& method, const std::string& target, net::Headers headers,
              const std::string& body) {
    auto response = run(through.ask(method, target, std::move(headers), body, std::chrono::seconds(10)));
    if (!response) throw std::runtime_error(response.error().message());
    Answer answer{response->status, response->headers, response->body, nullptr};
    boost::system::error_code error;
    bj::value json = bj::parse(answer.text, error);
    if (!error) answer.json = std::move(json);
    return answer;
  }
};

}  // namespace sebring::api
