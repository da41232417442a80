#pragma once
// The control plane put together, for the program's main. One event-loop thread uses it.
#include <boost/asio/io_context.hpp>
#include <memory>

#include "api/route.h"

namespace sebring::api {

class ControlPlane {
 public:
  ControlPlane(asio::io_context& io, control::ControlConfig config);
  // With another runner and clock, for tests.
  ControlPlane(asio::io_context& io, control::ControlConfig config, std::unique_ptr<control::RunnerClient> runner,
               const Clock& clock);
  ~ControlPlane();

  // Opens the database, knows all sandboxes, begins to follow the runner, and listens on the administration socket
  // where the configuration names one. Before handle(). A runner that does not answer yet is waited for in the
  // background.
  asio::awaitable<Result<void>> start();
  // Requests whose path is /api, /api-json or starts with /api/ (but /api/toolbox/, which is the proxy's).
  asio::awaitable<void> handle(net::Exchange& exchange);
  // Ends background work and writes what is unwritten. Sandboxes go on running.
  asio::awaitable<void> stop();

  // Valid from the beginning, to be asked after start().
  control::AccessControl& access() { return access_; }
  // After start().
  control::Control& control();
  control::Authenticator& authenticator();

 private:
  struct Parts;
  asio::io_context& io_;
  std::unique_ptr<control::ControlConfig> config_;
  std::unique_ptr<control::RunnerClient> runner_;
  const Clock& clock_;
  control::AccessControl access_;
  std::unique_ptr<Parts> parts_;
};

// What the listening server answers to heads that reach no handler.
net::Response head_error_body(int status, std::string_view why);

}  // namespace sebring::api
