#include "control/http_runner_client.h"

#include <array>
#include <boost/json.hpp>

#include "base/text.h"
#include "control/runner_wire.h"
#include "json/json.h"
#include "net/client.h"

namespace sebring::control {
namespace {

namespace bj = boost::json;
using namespace std::chrono_literals;

// Archiving and restoring move gigabytes; nobody stands in line behind them.
constexpr std::chrono::milliseconds kLongCallMax = 60min;

class HttpRunnerClient final : public RunnerClient {
 public:
  explicit HttpRunnerClient(std::string path)
      : client_(
            [path = std::move(path)]() -> asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> {
              return net::connect_unix(path);
            },
            64) {}

  asio::awaitable<Result<RunnerInfo>> info() override {
    SB_CO_TRY(auto answer, co_await call("GET", "/v1/info", ""));
    co_return read_info(answer);
  }

  asio::awaitable<Result<std::vector<RunnerReport>>> list() override {
    SB_CO_TRY(auto answer, co_await call("GET", "/v1/sandboxes", ""));
    co_return read_reports(answer);
  }

  asio::awaitable<Result<RunnerReport>> get(std::string id) override {
    return report("GET", "/v1/sandboxes/" + id, "");
  }

  asio::awaitable<Result<RunnerReport>> ensure_running(std::string id, RunnerSpec spec) override {
    return report("PUT", "/v1/sandboxes/" + id, write_spec(spec));
  }

  asio::awaitable<Result<RunnerReport>> stop(std::string id, bool force, std::int64_t grace_ms) override {
    return report("POST", "/v1/sandboxes/" + id + "/stop",
                  json::serialize(bj::object{{"force", force}, {"graceMs", grace_ms}}));
  }

  asio::awaitable<Result<void>> remove(std::string id) override {
    SB_CO_TRY(auto answer, co_await call("DELETE", "/v1/sandboxes/" + id, ""));
    co_return Result<void>{};
  }

  asio::awaitable<Result<RunnerReport>> set_limits(std::string id, RunnerLimits limits) override {
    return report("POST", "/v1/sandboxes/" + id + "/limits", write_limits(limits));
  }

  asio::awaitable<Result<RunnerReport>> set_network(std::string id, bool block_all,
                                                    std::vector<std::string> allow) override {
    bj::array networks;
    for (const std::string& network : allow) networks.emplace_back(network);
    return report("POST", "/v1/sandboxes/" + id + "/network",
                  json::serialize(bj::object{{"blockAll", block_all}, {"allow", std::move(networks)}}));
  }

  asio::awaitable<Result<RunnerReport>> pause(std::string id) override {
    return report("POST", "/v1/sandboxes/" + id + "/pause", "{}");
  }

  asio::awaitable<Result<RunnerReport>> resume(std::string id) override {
    return report("POST", "/v1/sandboxes/" + id + "/resume", "{}");
  }

  asio::awaitable<Result<RunnerReport>> fork(std::string id, std::string new_id, std::int64_t disk_bytes) override {
    return report("POST", "/v1/sandboxes/" + id + "/fork",
                  json::serialize(bj::object{{"newId", new_id}, {"diskBytes", disk_bytes}}));
  }

  asio::awaitable<Result<SnapshotMade>> snapshot(std::string id, std::string name) override {
    SB_CO_TRY(auto answer,
              co_await call("POST", "/v1/sandboxes/" + id + "/snapshot", json::serialize(bj::object{{"name", name}})));
    json::ObjectReader reader(answer);
    SnapshotMade made{reader.text("layer").value_or(""), reader.integer("bytes").value_or(0)};
    SB_CO_CHECK(reader.finish());
    co_return made;
  }

  asio::awaitable<Result<void>> remove_snapshot(std::string name) override {
    SB_CO_TRY(auto answer, co_await call("DELETE", "/v1/snapshots/" + name, ""));
    co_return Result<void>{};
  }

  asio::awaitable<Result<Archived>> archive(std::string id, std::string path) override {
    SB_CO_TRY(auto answer, co_await call("POST", "/v1/sandboxes/" + id + "/archive",
                                         json::serialize(bj::object{{"path", path}}), kLongCallMax));
    json::ObjectReader reader(answer);
    Archived archived{reader.required_text("sha256"), reader.integer("bytes").value_or(0)};
    SB_CO_CHECK(reader.finish());
    co_return archived;
  }

  asio::awaitable<Result<RunnerReport>> restore(std::string id, std::string path, std::string sha256,
                                                std::int64_t disk_bytes) override {
    return report("POST", "/v1/sandboxes/" + id + "/restore",
                  json::serialize(bj::object{{"path", path}, {"sha256", sha256}, {"diskBytes", disk_bytes}}),
                  kLongCallMax);
  }

  asio::awaitable<Result<Copies>> copies() override {
    SB_CO_TRY(auto answer, co_await call("GET", "/v1/copies", ""));
    json::ObjectReader reader(answer);
    Copies copies{reader.texts("snapshots").value_or(std::vector<std::string>{}),
                  reader.texts("archives").value_or(std::vector<std::string>{})};
    SB_CO_CHECK(reader.finish());
    co_return copies;
  }

  asio::awaitable<Result<void>> remove_archive(std::string path) override {
    SB_CO_TRY(auto answer, co_await call("DELETE", "/v1/archives/" + path, ""));
    co_return Result<void>{};
  }

  asio::awaitable<Result<RunnerUsage>> usage(std::string id) override {
    SB_CO_TRY(auto answer, co_await call("GET", "/v1/sandboxes/" + id + "/usage", ""));
    json::ObjectReader reader(answer);
    RunnerUsage usage{reader.integer("cpuNanoseconds").value_or(0), reader.integer("memoryBytes").value_or(0),
                      reader.integer("diskBytes").value_or(0)};
    SB_CO_CHECK(reader.finish());
    co_return usage;
  }

  asio::awaitable<Result<void>> listen(std::function<void(RunnerEvent)> heard) override;

 private:
  asio::awaitable<Result<bj::object>> call(std::string method, std::string target, std::string body,
                                           std::chrono::milliseconds deadline = kRunnerCallMax);
  asio::awaitable<Result<RunnerReport>> report(std::string method, std::string target, std::string body,
                                               std::chrono::milliseconds deadline = kRunnerCallMax) {
    SB_CO_TRY(auto answer, co_await call(std::move(method), std::move(target), std::move(body), deadline));
    co_return read_report(answer);
  }

  net::Client client_;
};

asio::awaitable<Result<bj::object>> HttpRunnerClient::call(std::string method, std::string target, std::string body,
                                                           std::chrono::milliseconds deadline) {
  net::Headers headers;
  if (!body.empty()) headers.add("Content-Type", "application/json");
  auto answer = co_await client_.ask(method, target, headers, body, deadline);
  // A kept connection may have died with an earlier runner. All calls may be repeated, POST too.
  if (!answer && answer.error().code() == Errc::unavailable && method == "POST") {
    answer = co_await client_.ask(method, target, headers, body, deadline);
  }
  if (!answer) {
    const Errc code = answer.error().code() == Errc::timed_out ? Errc::timed_out : Errc::unavailable;
    co_return fail(Error(code, "The runner does not answer: " + answer.error().message()));
  }
  auto parsed = json::parse_object(answer->body);
  if (answer->status >= 200 && answer->status < 300) {
    if (!parsed) co_return fail(Errc::bad_gateway, "The runner's answer cannot be read: " + parsed.error().message());
    co_return std::move(*parsed);
  }
  co_return fail(read_error(answer->status, parsed ? &*parsed : nullptr));
}

asio::awaitable<Result<void>> HttpRunnerClient::listen(std::function<void(RunnerEvent)> heard) {
  SB_CO_TRY(auto connection, co_await client_.take());
  net::RequestHead head;
  head.method = "GET";
  head.target = head.path = "/v1/events";
  SB_CO_CHECK(co_await connection->send_head(head));
  SB_CO_CHECK(co_await connection->finish_body());
  SB_CO_TRY(auto answer, co_await connection->read_head());
  if (answer.status != 200) co_return fail(Errc::bad_gateway, "The runner has no events");
  std::string pending;
  std::array<char, 4096> buffer{};
  for (;;) {
    SB_CO_TRY(auto got, co_await connection->read_body(asio::buffer(buffer)));
    if (got == 0) co_return Result<void>{};
    pending.append(buffer.data(), got);
    // One event is a few hundred bytes; without an end in 64 KiB it is no event.
    constexpr std::size_t kEventBytesMax = 64 * 1024;
    std::size_t end = 0;
    while ((end = pending.find('\n')) != std::string::npos) {
      const std::string line = pending.substr(0, end);
      pending.erase(0, end + 1);
      if (auto event = read_event(line)) heard(std::move(*event));
    }
    if (pending.size() > kEventBytesMax) co_return fail(Errc::bad_gateway, "The runner's events cannot be read");
  }
}

}  // namespace

std::unique_ptr<RunnerClient> make_http_runner_client(std::string socket_path) {
  return std::make_unique<HttpRunnerClient>(std::move(socket_path));
}

}  // namespace sebring::control
