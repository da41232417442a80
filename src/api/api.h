#pragma once
// Everything below /api: finds the route, checks who asks and whether they may, runs the handler, answers.
#include <memory>

#include "api/route.h"
#include "api/socket_io.h"

namespace sebring::api {

class Api {
 public:
  // `context` outlives it.
  explicit Api(ApiContext& context);
  ~Api();
  // Answers every request whose path is /api, /api-json or starts with /api/. What throws inside is logged and answered
  // with 500.
  asio::awaitable<void> handle(net::Exchange& exchange);
  // Ends the connections of those who listen to events.
  void stop() { events_.stop(); }

 private:
  asio::awaitable<void> serve(net::Exchange& exchange);
  asio::awaitable<Result<net::Response>> run(net::Exchange& exchange);
  ApiContext& context_;
  net::Router router_;
  SocketIo events_;
  std::string document_;
};

}  // namespace sebring::api
