#pragma once
// Blocking HTTP requests for programs that do one thing at a time: runs its own event loop until the answer is there.
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/url.h"
#include "net/client.h"

namespace sebring::cli {

class Caller {
 public:
  // TCP. Names are resolved with the system's resolver, and each address is tried.
  static Result<Caller> to_url(const Url& url);
  static Caller to_unix(std::string socket_path);
  Caller(Caller&&) noexcept;
  Caller& operator=(Caller&&) noexcept;
  ~Caller();

  // Errc::unavailable when nobody answers, Errc::timed_out.
  Result<net::Response> ask(std::string method, std::string target, net::Headers headers, std::string body,
                            std::chrono::milliseconds deadline);
  // Runs `work` to its end: for bodies that stream. It must name host() in its requests.
  using Work = std::function<net::asio::awaitable<Result<void>>(net::Client&)>;
  Result<void> run(const Work& work);
  const std::string& host() const;
  // For use inside of `work`.
  net::Client& client();
  // A connection of its own, for what is not HTTP afterwards.
  const net::Client::Connect& connect() const;

 private:
  struct State;
  explicit Caller(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sebring::cli
