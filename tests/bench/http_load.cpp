// Sends one request again and again over several keep-alive connections and prints latency percentiles as JSON:
// HOST may be the path of a Unix socket.
//   sebring-load HOST PORT CONNECTIONS COUNT METHOD TARGET [HEADER: VALUE]... [--body TEXT | --body-bytes N]
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/time.h"
#include "net/client.h"

namespace {
using namespace sebring;
using namespace sebring::net;

struct Plan {
  std::string host;
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::size_t count = 1;
  RequestHead head;
  std::string body;
};

struct Outcome {
  std::vector<double> milliseconds;
  std::size_t failed = 0;
  std::uint64_t bytes = 0;
  std::size_t started = 0;
};

asio::awaitable<Result<std::uint64_t>> once(ClientConnection& connection, const Plan& plan, std::vector<char>& buffer) {
  SB_CO_CHECK(co_await connection.send_head(plan.head));
  if (!plan.body.empty()) SB_CO_CHECK(co_await connection.send_body(plan.body));
  SB_CO_CHECK(co_await connection.finish_body());
  SB_CO_TRY(ResponseHead head, co_await connection.read_head());
  std::uint64_t bytes = 0;
  for (;;) {
    SB_CO_TRY(const std::size_t got, co_await connection.read_body(asio::buffer(buffer)));
    if (got == 0) break;
    bytes += got;
  }
  if (head.status >= 300) co_return fail(Errc::bad_gateway, "status " + std::to_string(head.status));
  co_return bytes;
}

asio::awaitable<void> worker(const Plan& plan, Outcome& outcome) {
  std::unique_ptr<ClientConnection> connection;
  std::vector<char> buffer(1 << 20);
  while (outcome.started < plan.count) {
    ++outcome.started;
    if (!connection) {
      auto stream =
          plan.host.starts_with('/') ? co_await connect_unix(plan.host) : co_await connect_tcp(plan.host, plan.port);
      if (!stream) {
        ++outcome.failed;
        continue;
      }
      connection = make_client_connection(std::move(*stream));
    }
    const auto start = Steady::now();
    auto bytes = co_await once(*connection, plan, buffer);
    const std::chrono::duration<double, std::milli> took = Steady::now() - start;
    if (!bytes) {
      if (outcome.failed++ == 0) std::fprintf(stderr, "first failure: %s\n", bytes.error().message().c_str());
      connection.reset();
      continue;
    }
    outcome.bytes += *bytes;
    outcome.milliseconds.push_back(took.count());
    if (!connection->reusable()) connection.reset();
  }
}

Result<Plan> parse_arguments(int argc, char** argv) {
  if (argc < 7) return fail(Errc::invalid_argument, "HOST PORT CONNECTIONS COUNT METHOD TARGET [HEADER: VALUE]...");
  Plan plan;
  plan.host = argv[1];
  plan.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  plan.connections = static_cast<std::size_t>(std::atoi(argv[3]));
  plan.count = static_cast<std::size_t>(std::atoi(argv[4]));
  plan.head.method = argv[5];
  plan.head.target = argv[6];
  for (int i = 7; i < argc; ++i) {
    if (std::strcmp(argv[i], "--body") == 0 && i + 1 < argc) {
      plan.body = argv[++i];
    } else if (std::strcmp(argv[i], "--body-bytes") == 0 && i + 1 < argc) {
      plan.body.assign(static_cast<std::size_t>(std::atoll(argv[++i])), 'x');
    } else {
      const std::string_view header = argv[i];
      const std::size_t colon = header.find(':');
      if (colon == std::string_view::npos) return fail(Errc::invalid_argument, "not a header: " + std::string(header));
      plan.head.headers.add(std::string(header.substr(0, colon)), std::string(trim(header.substr(colon + 1))));
    }
  }
  plan.head.headers.add("Content-Length", std::to_string(plan.body.size()));
  return plan;
}

double percentile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(static_cast<double>(sorted.size()) * part))];
}

}  // namespace

int main(int argc, char** argv) {
  auto plan = parse_arguments(argc, argv);
  if (!plan) {
    std::fprintf(stderr, "%s\n", plan.error().message().c_str());
    return 2;
  }
  asio::io_context io(1);
  Outcome outcome;
  const auto start = Steady::now();
  for (std::size_t i = 0; i < plan->connections; ++i) asio::co_spawn(io, worker(*plan, outcome), asio::detached);
  io.run();
  const std::chrono::duration<double> wall = Steady::now() - start;
  auto& times = outcome.milliseconds;
  std::sort(times.begin(), times.end());
  std::printf(
      "{\"n\":%zu,\"failed\":%zu,\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"per_second\":%.1f,"
      "\"mib_per_second\":%.1f}\n",
      times.size(), outcome.failed, percentile(times, 0.50), percentile(times, 0.95), percentile(times, 0.99),
      times.empty() ? 0 : times.back(), static_cast<double>(times.size()) / wall.count(),
      static_cast<double>(outcome.bytes + times.size() * plan->body.size()) / wall.count() / 1048576);
  return outcome.failed == 0 ? 0 : 1;
}
