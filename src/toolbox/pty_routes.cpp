// /process/pty: from requests to terminals and back.
#include <boost/json.hpp>
#include <map>

#include "toolbox/answer.h"
#include "toolbox/body.h"
#include "toolbox/pty_request.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kBodyBytesMax = 1 << 20;
constexpr std::size_t kPtysMax = 256;
// Ended ones stay known, so that who asks late is told so, until their name or their place is needed.
constexpr std::size_t kEndedKept = 64;

using Exchange = net::Exchange;
using Parameters = net::PathParameters;
using PtyPtr = std::shared_ptr<PtySession>;

class PtyStore {
 public:
  explicit PtyStore(Context& context) : context_(context) {}

  // Errc::conflict for the id of a living one.
  Result<PtyPtr> add(PtySettings settings) {
    const auto found = all_.find(settings.id);
    if (found != all_.end() && !found->second->ended()) return fail(Errc::conflict, "PTY session already exists");
    std::size_t living = 0;
    for (const auto& [id, pty] : all_) living += pty->ended() ? 0 : 1;
    if (living >= kPtysMax) return fail(Errc::exhausted, "too many PTY sessions");
    forget_ended();
    const std::string id = settings.id;
    auto pty = std::make_shared<PtySession>(context_, std::move(settings));
    all_[id] = pty;
    return pty;
  }
  Result<PtyPtr> find(const std::string& id) const {
    const auto found = all_.find(id);
    if (found == all_.end()) return fail(Errc::not_found, "PTY session not found");
    return found->second;
  }
  void remove(const PtyPtr& pty) {
    const auto found = all_.find(pty->id());
    if (found != all_.end() && found->second == pty) all_.erase(found);
  }
  const std::map<std::string, PtyPtr>& all() const { return all_; }

 private:
  void forget_ended() {
    std::size_t ended = 0;
    for (const auto& [id, pty] : all_) ended += pty->ended() ? 1 : 0;
    for (auto it = all_.begin(); ended > kEndedKept && it != all_.end();) {
      if (it->second->ended()) {
        it = all_.erase(it);
        --ended;
      } else {
        ++it;
      }
    }
  }

  Context& context_;
  std::map<std::string, PtyPtr> all_;
};
using Store = std::shared_ptr<PtyStore>;

asio::awaitable<void> create_pty(Store store, Context& context, Exchange& exchange) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  auto settings = parse_pty_create(*body, context);
  if (!settings) co_return co_await answer_error(exchange, settings.error());
  const bool lazy = settings->lazy_start;
  boost::json::object answer{{"sessionId", settings->id}};
  auto pty = store->add(*std::move(settings));
  if (!pty) co_return co_await answer_error(exchange, pty.error());
  if (!lazy) {
    if (auto started = co_await (*pty)->start(); !started) {
      store->remove(*pty);
      co_return co_await answer_error(exchange, started.error());
    }
  }
  co_await exchange.respond(net::Response::json(201, boost::json::serialize(answer)));
}

asio::awaitable<void> list_ptys(Store store, Exchange& exchange) {
  std::string body = "{\"sessions\":[";
  bool first = true;
  for (const auto& [id, pty] : store->all()) {
    if (pty->ended()) continue;
    if (!first) body += ',';
    first = false;
    body += pty->info();
  }
  body += "]}";
  co_await exchange.respond(net::Response::json(200, std::move(body)));
}

asio::awaitable<void> get_pty(Store store, Exchange& exchange, std::string id) {
  auto pty = store->find(id);
  if (!pty) co_return co_await answer_error(exchange, pty.error());
  co_await exchange.respond(net::Response::json(200, (*pty)->info()));
}

asio::awaitable<void> delete_pty(Store store, Exchange& exchange, std::string id) {
  auto pty = store->find(id);
  if (!pty) co_return co_await answer_error(exchange, pty.error());
  store->remove(*pty);
  co_await (*pty)->kill();
  co_await exchange.respond(net::Response::json(200, "{\"message\":\"PTY session deleted\"}"));
}

asio::awaitable<void> resize(Store store, Exchange& exchange, std::string id) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  auto size = parse_pty_resize(*body);
  if (!size) co_return co_await answer_error(exchange, size.error());
  auto pty = store->find(id);
  if (!pty) co_return co_await answer_error(exchange, pty.error());
  if (auto resized = (*pty)->resize(*size); !resized) co_return co_await answer_error(exchange, resized.error());
  co_await exchange.respond(net::Response::json(200, (*pty)->info()));
}

struct Attached {
  std::shared_ptr<net::WebSocket> socket;
  bool exit_control = false;
};

asio::awaitable<Result<Attached>> accept_pty_client(Exchange& exchange) {
  const std::string selected = select_pty_subprotocol(exchange.offered_subprotocols());
  SB_CO_TRY(auto socket,
            co_await exchange.accept_websocket({.subprotocol = selected, .message_bytes_max = kPtyInputBytesMax}));
  co_return Attached{std::move(socket), selected == kPtyExitControl};
}

asio::awaitable<void> connect(Store store, Exchange& exchange, std::string id) {
  auto client = co_await accept_pty_client(exchange);
  if (!client) co_return co_await answer_error(exchange, client.error());
  auto pty = store->find(id);
  if (pty) co_return co_await (*pty)->attach(client->socket, client->exit_control);
  co_await client->socket->send_text(pty_error_message(pty.error().message()));
  co_await client->socket->close(1011, "");
}

asio::awaitable<void> create_and_connect(Store store, Context& context, Exchange& exchange) {
  if (!exchange.wants_websocket()) {
    co_return co_await answer_error(exchange, Error(Errc::invalid_argument, "expected a WebSocket upgrade"));
  }
  auto settings =
      parse_pty_create_connect(net::Query(exchange.request().query), exchange.offered_subprotocols(), context);
  if (!settings) co_return co_await answer_error(exchange, settings.error());
  auto pty = store->add(*std::move(settings));
  if (!pty) co_return co_await answer_error(exchange, pty.error());
  // Before the upgrade, where a failure can still be told by a status.
  if (auto started = co_await (*pty)->start(); !started) {
    store->remove(*pty);
    co_return co_await answer_error(exchange, started.error());
  }
  auto client = co_await accept_pty_client(exchange);
  if (!client) {
    store->remove(*pty);
    co_await (*pty)->kill();
    co_return co_await answer_error(exchange, client.error());
  }
  co_await (*pty)->attach(client->socket, client->exit_control);
}

}  // namespace

void add_pty_routes(net::Router& router, Context& context) {
  auto store = std::make_shared<PtyStore>(context);
  const std::string base = "/process/pty";
  router.add("POST", base,
             [store, &context](Exchange& exchange, const Parameters&) { return create_pty(store, context, exchange); });
  router.add("GET", base, [store](Exchange& exchange, const Parameters&) { return list_ptys(store, exchange); });
  router.add("GET", base + "/create-connect", [store, &context](Exchange& exchange, const Parameters&) {
    return create_and_connect(store, context, exchange);
  });
  router.add("GET", base + "/{id}", [store](Exchange& exchange, const Parameters& parameters) {
    return get_pty(store, exchange, parameters["id"]);
  });
  router.add("DELETE", base + "/{id}", [store](Exchange& exchange, const Parameters& parameters) {
    return delete_pty(store, exchange, parameters["id"]);
  });
  router.add("POST", base + "/{id}/resize", [store](Exchange& exchange, const Parameters& parameters) {
    return resize(store, exchange, parameters["id"]);
  });
  router.add("GET", base + "/{id}/connect", [store](Exchange& exchange, const Parameters& parameters) {
    return connect(store, exchange, parameters["id"]);
  });
}

}  // namespace sebring::toolbox
