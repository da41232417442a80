#pragma once
// Events for clients: socket.io (Engine.IO 4) over WebSocket only, at /api/socket.io/. A client says its key once, then
// hears of its organization's sandboxes and snapshots. Each event is rendered once, however many listen. A client that
// does not read is cut, never waited for; one whose key is revoked or expires is cut before the next event, and within
// seconds when there is none.
#include <map>
#include <memory>
#include <string>

#include "api/route.h"
#include "control/event_bus.h"

namespace sebring::api {

class SocketIo {
 public:
  explicit SocketIo(ApiContext& context);
  ~SocketIo();
  // Whether the path is ours.
  static bool wants(std::string_view path);
  // The whole connection, until either side ends it.
  asio::awaitable<void> handle(net::Exchange& exchange);
  // Ends all connections.
  void stop();
  std::size_t connections() const { return clients_.size(); }

 private:
  struct Client;
  void tell(const control::Event& event);
  asio::awaitable<void> serve(net::Exchange& exchange);
  asio::awaitable<bool> greet(Client& client);
  asio::awaitable<void> read_loop(std::shared_ptr<Client> client);
  asio::awaitable<bool> send(Client& client, std::string_view text);
  asio::awaitable<void> write_loop(std::shared_ptr<Client> client);

  ApiContext& context_;
  std::map<const Client*, std::shared_ptr<Client>> clients_;
  control::EventBus::Subscription subscription_;
};

}  // namespace sebring::api
