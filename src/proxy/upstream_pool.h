#pragma once
// Idle keep-alive connections to what runs in sandboxes, by place. A kept connection pins the sandbox's network
// namespace, so none is kept long and all of a sandbox can be dropped at once.
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "net/client.h"

namespace sebring::proxy {

namespace asio = boost::asio;

// A place to ask, and how to get there.
struct Upstream {
  std::string sandbox_id;
  std::string place;  // distinguishes places of one sandbox: "toolbox", "3000"
  net::Client::Connect connect;
  // How long an unused connection is trusted: below the server's own patience, or a request may meet its closing.
  std::chrono::milliseconds idle_time{60'000};
};

// How long a connection may be kept after an answer that said so in `keep_alive`: "timeout=5" closes after 5 s.
std::chrono::milliseconds kept_idle(std::optional<std::string_view> keep_alive, std::chrono::milliseconds idle_time);

class UpstreamPool {
 public:
  explicit UpstreamPool(asio::any_io_executor executor);
  ~UpstreamPool();

  // An idle connection that is still open and was used within `idle_at_most`; nullptr: there is none. `repeatable`: the
  // request can be sent again, so that a connection used a moment ago need not be looked at.
  std::unique_ptr<net::ClientConnection> take_idle(const Upstream& upstream, std::chrono::milliseconds idle_at_most,
                                                   bool repeatable);
  // Kept when it is reusable. `idle_time`: for this one, when the server said so; else the upstream's.
  void give_back(const Upstream& upstream, std::unique_ptr<net::ClientConnection> connection,
                 std::chrono::milliseconds idle_time);
  // The sandbox has stopped: its idle connections are closed now.
  void drop(const std::string& sandbox_id);
  std::size_t idle_connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sebring::proxy
