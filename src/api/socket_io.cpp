#include "api/socket_io.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <deque>

#include "api/error_response.h"
#include "api/event_json.h"
#include "base/random.h"
#include "json/json.h"

namespace sebring::api {
namespace {

namespace bj = boost::json;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kPingEvery = 25s;
constexpr std::chrono::milliseconds kPongWithin = 20s;
constexpr std::chrono::milliseconds kGreetingMax = 45s;
// How long a client whose key was revoked, or has expired, stays when nothing happens that it could be told.
constexpr std::chrono::milliseconds kKeyLookEvery = 5s;
constexpr std::size_t kConnectionsMax = 5'000;
// An event is about 2 KiB; who is this far behind does not read.
constexpr std::size_t kUnsentMax = 2'000;
constexpr std::size_t kMessageBytesMax = 16 * 1024;

std::string new_sid() { return random_hex(10); }

}  // namespace

struct SocketIo::Client {
  explicit Client(asio::any_io_executor executor) : wake(executor) {}
  std::unique_ptr<net::WebSocket> socket;
  std::string sid;
  std::string organization_id;  // empty until it said its key
  std::string key_hash;
  std::deque<std::shared_ptr<const std::string>> unsent;
  bool pong_due = false;
  bool ended = false;
  std::optional<Steady::time_point> sending_since;  // what is not taken yet
  asio::steady_timer wake;

  bool is_slow() const {
    return unsent.size() >= kUnsentMax || (sending_since && Steady::now() - *sending_since > kPongWithin);
  }

  // Nobody reads or writes any more after this.
  void cut() {
    ended = true;
    wake.cancel();
    if (socket) socket->abort();
  }
};

SocketIo::SocketIo(ApiContext& context) : context_(context) {
  subscription_ =
      context.control.events.subscribe([this](const std::shared_ptr<const control::Event>& event) { tell(*event); });
}

SocketIo::~SocketIo() = default;

bool SocketIo::wants(std::string_view path) { return path == "/api/socket.io/" || path == "/api/socket.io"; }

void SocketIo::stop() {
  for (auto& [key, client] : clients_) client->cut();
}

void SocketIo::tell(const control::Event& event) {
  std::shared_ptr<const std::string> text;
  for (auto& [key, client] : clients_) {
    if (client->organization_id.empty() || client->ended) continue;
    if (!event.organization_id.empty() && event.organization_id != client->organization_id) continue;
    if (!text) text = std::make_shared<const std::string>("42" + event_json(context_.control.config, event));
    if (client->is_slow()) {
      client->cut();
      continue;
    }
    client->unsent.push_back(text);
    client->wake.cancel();
  }
}

// Engine.IO's opening, then the client's CONNECT with its key. False when that did not come or was refused.
asio::awaitable<bool> SocketIo::greet(Client& client) {
  const bj::object open{{"sid", new_sid()},
                        {"upgrades", bj::array()},
                        {"pingInterval", kPingEvery.count()},
                        {"pingTimeout", kPongWithin.count()},
                        {"maxPayload", kMessageBytesMax}};
  if (!co_await client.socket->send_text("0" + json::serialize(open))) co_return false;
  auto message = co_await client.socket->read();
  if (!message || !*message || !(*message)->data.starts_with("40")) co_return false;
  std::string_view body = std::string_view((*message)->data).substr(2);
  // A name space may stand before the payload: only the root one exists.
  if (body.starts_with("/,")) body.remove_prefix(2);
  auto said = json::parse_object(body);
  std::string token;
  if (said) token = json::ObjectReader(*said).text("token").value_or("");
  auto caller = co_await context_.authenticator.authenticate(token);
  if (!caller) {
    (void)co_await client.socket->send_text(R"(44{"message":"Unauthorized"})");
    co_return false;
  }
  client.organization_id = caller->organization_id;
  client.key_hash = caller->key_hash;
  co_return (co_await client.socket->send_text("40" + json::serialize(bj::object{{"sid", client.sid}}))).has_value();
}

asio::awaitable<void> SocketIo::read_loop(std::shared_ptr<Client> client) {
  for (;;) {
    auto message = co_await client->socket->read();
    if (!message || !*message || client->ended) co_return;
    const std::string& data = (*message)->data;
    if (data.starts_with('3')) client->pong_due = false;
    if (data.starts_with('1') || data.starts_with("41")) co_return;
    // There are no events from clients; whatever else comes means nothing.
  }
}

asio::awaitable<bool> SocketIo::send(Client& client, std::string_view text) {
  client.sending_since = Steady::now();
  const bool sent = (co_await client.socket->send_text(text)).has_value();
  client.sending_since.reset();
  co_return sent;
}

asio::awaitable<void> SocketIo::write_loop(std::shared_ptr<Client> client) {
  auto ping_at = Steady::now() + kPingEvery;
  for (;;) {
    if (client->unsent.empty() && !client->ended) {
      client->wake.expires_at(std::min(ping_at, Steady::now() + kKeyLookEvery));
      co_await client->wake.async_wait(asio::as_tuple(asio::use_awaitable));
      if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) co_return;
    }
    if (client->ended) co_return;
    // The key may have been revoked since.
    auto caller = co_await context_.authenticator.authenticate_hash(client->key_hash);
    if (!caller && caller.error().code() == Errc::unauthorized) co_return;
    if (!client->unsent.empty()) {
      const auto text = std::move(client->unsent.front());
      client->unsent.pop_front();
      if (!co_await send(*client, *text)) co_return;
    }
    if (Steady::now() < ping_at) continue;
    if (client->pong_due) co_return;  // not even a ping is answered
    client->pong_due = true;
    if (!co_await send(*client, "2")) co_return;
    // The answer is due when the next look comes.
    ping_at = Steady::now() + kPingEvery;
  }
}

asio::awaitable<void> SocketIo::serve(net::Exchange& exchange) {
  using namespace asio::experimental::awaitable_operators;
  auto client = std::make_shared<Client>(context_.control.executor);
  auto socket = co_await exchange.accept_websocket({.subprotocol = "", .message_bytes_max = kMessageBytesMax});
  if (!socket && exchange.status_sent() == 0) {
    (void)co_await exchange.respond(
        error_response(socket.error(), exchange.request().target, context_.control.clock.wall_ms()));
  }
  if (!socket) co_return;
  client->socket = std::move(*socket);
  client->sid = new_sid();
  clients_.emplace(client.get(), client);
  struct Leave {
    SocketIo& all;
    const Client* client;
    ~Leave() { all.clients_.erase(client); }
  } leave{*this, client.get()};
  auto greeted = co_await (greet(*client) || net::sleep_for(kGreetingMax));
  const bool welcome = greeted.index() == 0 && std::get<0>(greeted) && !client->ended;
  if (welcome) co_await (read_loop(client) || write_loop(client));
  if (!client->ended) co_await client->socket->close(1000, "");
}

asio::awaitable<void> SocketIo::handle(net::Exchange& exchange) {
  const net::Query query(exchange.request().query);
  const auto refuse = [&](int status, std::string body) {
    return exchange.respond(net::Response::json(status, std::move(body)));
  };
  if (query.find("transport").value_or("") != "websocket") {
    (void)co_await refuse(400, R"({"code":0,"message":"Transport unknown"})");
    co_return;
  }
  if (query.find("EIO").value_or("") != "4") {
    (void)co_await refuse(400, R"({"code":5,"message":"Unsupported protocol version"})");
    co_return;
  }
  if (!exchange.wants_websocket()) {
    (void)co_await refuse(400, R"({"code":3,"message":"Bad request"})");
    co_return;
  }
  if (clients_.size() >= kConnectionsMax) {
    (void)co_await exchange.respond(error_response(Error(Errc::unavailable, "Too many listeners"),
                                                   exchange.request().target, context_.control.clock.wall_ms()));
    co_return;
  }
  co_await serve(exchange);
}

}  // namespace sebring::api
