#pragma once
// From a connection's own thread to the event loop and back: whatever the control plane or the runner is asked.
#include <atomic>
#include <memory>
#include <string>

#include "proxy/dial.h"
#include "proxy/toolbox_proxy.h"

namespace sebring::ssh {

namespace asio = boost::asio;

// A session that is open counts as use of its sandbox and ends with its token. Destroyed from any thread.
class SessionHold {
 public:
  SessionHold() = default;
  explicit SessionHold(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}

 private:
  std::shared_ptr<void> hold_;
};

// Each call waits, bounded; never called on the loop's own thread.
class LoopCalls {
 public:
  LoopCalls(asio::any_io_executor executor, proxy::Shared& shared, proxy::Dialer& dialer)
      : executor_(std::move(executor)), shared_(shared), dialer_(dialer) {}

  Result<proxy::TokenUse> authorize(std::string token);
  Result<proxy::Sandbox> find(std::string sandbox_id);
  // The same; one that was paused for idleness is resumed first.
  Result<proxy::Sandbox> find_awake(std::string sandbox_id);
  // A blocking socket connected to the sandbox's loopback.
  Result<UniqueFd> dial(std::string sandbox_id, std::uint16_t port);
  // From any thread: whoever waits stops waiting, and nothing is asked any more.
  void close() { closed_ = true; }

  // Writes to `wake` (an eventfd, duplicated here) when the token or the sandbox ends.
  SessionHold hold(std::string sandbox_id, proxy::Grant grant, int wake);

 private:
  template <class T>
  Result<T> wait_for(asio::awaitable<Result<T>> work);

  asio::any_io_executor executor_;
  proxy::Shared& shared_;
  proxy::Dialer& dialer_;
  std::atomic<bool> closed_{false};
};

}  // namespace sebring::ssh
