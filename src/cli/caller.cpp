#include "cli/caller.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <vector>

namespace sebring::cli {
namespace asio = net::asio;

struct Caller::State {
  State(net::Client::Connect how, std::string host) : connect(how), client(std::move(how), 1), host(std::move(host)) {}
  asio::io_context io{1};
  net::Client::Connect connect;
  net::Client client;
  std::string host;  // for the Host header
};

namespace {

// 64 MiB of a command's output, each byte of which JSON may write with six.
constexpr std::size_t kAnswerBytesMax = 512 << 20;

Result<std::vector<std::string>> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int code = getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0)
    return fail(Errc::unavailable, "resolve " + host + ": " + gai_strerror(code));
  std::vector<std::string> out;
  for (addrinfo* one = found; one; one = one->ai_next) {
    char text[64];
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      out.emplace_back(text);
  }
  freeaddrinfo(found);
  return out;
}

asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> connect_first(std::vector<std::string> addresses,
                                                                        std::uint16_t port) {
  Result<std::unique_ptr<net::ByteStream>> last = fail(Errc::unavailable, "no address");
  for (const std::string& address : addresses) {
    last = co_await net::connect_tcp(address, port);
    if (last) break;
  }
  co_return last;
}

asio::awaitable<void> keep_outcome(const Caller::Work& work, net::Client& client, std::optional<Result<void>>& out) {
  out = co_await work(client);
}

}  // namespace

Caller::Caller(std::unique_ptr<State> state) : state_(std::move(state)) {}
Caller::Caller(Caller&&) noexcept = default;
Caller& Caller::operator=(Caller&&) noexcept = default;
Caller::~Caller() = default;

Result<Caller> Caller::to_url(const Url& url) {
  if (url.tls) return fail(Errc::not_implemented, "https:// is not available in this command yet: " + url.text());
  SB_TRY(auto addresses, resolve(url.host));
  auto connect = [addresses = std::move(addresses), port = url.port] { return connect_first(addresses, port); };
  return Caller(std::make_unique<State>(std::move(connect), url.host_header()));
}

Caller Caller::to_unix(std::string socket_path) {
  auto connect = [path = std::move(socket_path)] { return net::connect_unix(path); };
  return Caller(std::make_unique<State>(std::move(connect), "localhost"));
}

net::Client& Caller::client() { return state_->client; }
const std::string& Caller::host() const { return state_->host; }
const net::Client::Connect& Caller::connect() const { return state_->connect; }

Result<void> Caller::run(const Work& work) {
  std::optional<Result<void>> outcome;
  asio::co_spawn(state_->io, keep_outcome(work, state_->client, outcome), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  state_->io.restart();
  while (!outcome && state_->io.run_one() > 0) {
  }
  if (!outcome) return fail(Errc::internal, "the event loop ended without an answer");
  return *std::move(outcome);
}

Result<net::Response> Caller::ask(std::string method, std::string target, net::Headers headers, std::string body,
                                  std::chrono::milliseconds deadline) {
  headers.set("Host", state_->host);
  Result<net::Response> answer = fail(Errc::internal, "");
  SB_CHECK(run([&](net::Client& client) -> asio::awaitable<Result<void>> {
    answer = co_await client.ask(method, target, headers, body, deadline, kAnswerBytesMax);
    co_return Result<void>{};
  }));
  return answer;
}

}  // namespace sebring::cli
