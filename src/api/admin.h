#pragma once
// The administration socket: who can open it is the administrator, no key is asked. For the command line and for the
// supervisor at start.
//   POST   /v1/keys {"name", "permissions"?, "expiresAt"?}   201, the key with its value; all permissions by default
//   GET    /v1/keys                                          all keys, values masked
//   DELETE /v1/keys/{name}                                   204
//   PUT    /v1/images/{name} {layer, config}                 what snapshots/build wrote; makes the general snapshots
//   GET    /v1/status                                        {"sandboxes", "runnerInStep"}
// Errors have the control plane's shape.
#include "api/route.h"

namespace sebring::api {

class Admin {
 public:
  explicit Admin(ApiContext& context);
  asio::awaitable<void> handle(net::Exchange& exchange);

 private:
  using Method = asio::awaitable<Result<net::Response>> (Admin::*)(net::Exchange&, const net::PathParameters&);
  void add(const char* method, const char* pattern, Method handler);
  asio::awaitable<void> run(net::Exchange& exchange, const net::PathParameters& path, Method handler);
  asio::awaitable<Result<net::Response>> create_key(net::Exchange&, const net::PathParameters&);
  asio::awaitable<Result<net::Response>> list_keys(net::Exchange&, const net::PathParameters&);
  asio::awaitable<Result<net::Response>> delete_key(net::Exchange&, const net::PathParameters&);
  asio::awaitable<Result<net::Response>> put_image(net::Exchange&, const net::PathParameters&);
  asio::awaitable<Result<net::Response>> status(net::Exchange&, const net::PathParameters&);

  ApiContext& context_;
  net::Router router_;
};

}  // namespace sebring::api
