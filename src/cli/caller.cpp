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
  State(net::Client::Connect connect, std::string host) : client(std::move(connect), 1), host(std::move(host)) {}
  asio::io_context io{1};
  net::Client client;
  std::string host;  // for the Host header
};

namespace {

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

asio::awaitable<void> keep_answer(net::Client& client, std::string method, std::string target, net::Headers headers,
                                  std::string body, std::chrono::milliseconds deadline,
                                  std::optional<Result<net::Response>>& out) {
  out = co_await client.ask(std::move(method), std::move(target), std::move(headers), std::move(body), deadline);
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

Result<net::Response> Caller::ask(std::string method, std::string target, net::Headers headers, std::string body,
                                  std::chrono::milliseconds deadline) {
  headers.set("Host", state_->host);
  std::optional<Result<net::Response>> answer;
  asio::co_spawn(state_->io,
                 keep_answer(state_->client, std::move(method), std::move(target), std::move(headers), std::move(body),
                             deadline, answer),
                 [](std::exception_ptr failure) {
                   if (failure) std::rethrow_exception(failure);
                 });
  state_->io.restart();
  while (!answer && state_->io.run_one() > 0) {
  }
  if (!answer) return fail(Errc::internal, "the event loop ended without an answer");
  return *std::move(answer);
}

}  // namespace sebring::cli
