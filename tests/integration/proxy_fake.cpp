// The proxy before a control plane of tables, driven by POST /fake with JSON. `proxy_fake [DIAL_SOCKET
// [SSH_KEY_DIRECTORY [CERTIFICATE KEY]]]`. Prints its port, those of SSH and TLS, runs until stdin ends.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>

#include "net/client.h"
#include "net/server.h"
#include "proxy/errors.h"
#include "proxy/fake_access.h"
#include "proxy/preview_proxy.h"
#include "proxy/tls_front.h"
#include "proxy/toolbox_proxy.h"
#include "terminal/terminal.h"
#ifdef SEBRING_HAS_SSH
#include "ssh/gateway.h"
#endif

namespace {
using namespace sebring;
using namespace sebring::proxy;
namespace bj = boost::json;

constexpr std::chrono::minutes kKeepShell{10};
constexpr std::chrono::milliseconds kLookEvery{200};

std::string text(const bj::object& o, std::string_view name) {
  const bj::value* value = o.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}
bool flag(const bj::object& o, std::string_view name) {
  const bj::value* value = o.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

void change(FakeAccess& access, const bj::object& order) {
  const std::string what = text(order, "what");
  const std::string id = text(order, "id");
  if (what == "sandbox") {
    const std::string state = text(order, "state");
    access.sandboxes[id] = {.id = id,
                            .state = state,
                            .started = state == "started",
                            .toolbox_socket = text(order, "socket"),
                            .is_public = flag(order, "public"),
                            .warning_page = flag(order, "warning")};
  } else if (what == "no-sandbox") {
    access.sandboxes.erase(id);
  } else if (what == "key") {
    auto& allowed = access.keys[text(order, "key")];
    if (!id.empty()) allowed.insert(id);
  } else if (what == "no-key") {
    access.keys.erase(text(order, "key"));
  } else if (what == "token") {
    access.preview_tokens[id] = text(order, "token");
  } else if (what == "signed") {
    const std::string name = text(order, "port") + "/" + text(order, "token");
    access.signed_tokens[name] = {.sandbox_id = id, .grant = {Grant::Kind::signed_token, name}};
  } else if (what == "no-signed") {
    access.signed_tokens.erase(text(order, "port") + "/" + text(order, "token"));
  } else if (what == "ssh") {
    const std::string name = text(order, "token");
    access.ssh_tokens[name] = {.sandbox_id = id, .grant = {Grant::Kind::ssh_token, name}};
  } else if (what == "no-ssh") {
    access.ssh_tokens.erase(text(order, "token"));
  } else if (what == "file-key") {
    access.file_keys[id] = text(order, "key");
  } else if (what == "session") {
    access.sessions[text(order, "session")].insert(id);
  } else if (what == "no-session") {
    access.sessions.erase(text(order, "session"));
  } else if (what == "wakes") {
    access.wakes = flag(order, "on");
  }
}

// Counts what goes the short way to its end.
class CountedWay final : public net::ShortWay {
 public:
  CountedWay(std::unique_ptr<net::ShortWay> way, int& answered) : way_(std::move(way)), answered_(answered) {}
  bool begin(const net::RawHead& head) override { return way_->begin(head); }
  asio::awaitable<End> finish(net::ByteStream& client) override {
    const End end = co_await way_->finish(client);
    if (end == End::answered) ++answered_;
    co_return end;
  }
  std::unique_ptr<net::ClientConnection> take_asked() override { return way_->take_asked(); }
  bool answers() const override { return way_->answers(); }
  void client_gone() override { way_->client_gone(); }

 private:
  std::unique_ptr<net::ShortWay> way_;
  int& answered_;
};

class Rig {
 public:
  Rig(asio::io_context& io, std::string dial_socket)
      : shared_(io.get_executor(), access_, TrustedProxies::parse({"127.0.0.2", "10.0.0.0/8"}).value()),
        toolbox_(shared_),
        dialer_(make_dialer(std::move(dial_socket))),
        terminal_(terminal::make_terminal(io.get_executor(), shared_,
                                          {.platform_origin = "http://platform.test", .keep_shell = kKeepShell})),
        preview_(shared_, toolbox_, *dialer_, terminal_.get(),
                 {.domain = "preview.test",
                  .secret = std::string(32, 's'),
                  .platform_url = "http://platform.test",
                  .login_url = "http://platform.test/dashboard",
                  .version = "test"}) {}

  asio::awaitable<void> handle(net::Exchange& exchange, std::string scheme) {
    const std::string path = exchange.request().path;
    if (path == "/fake" && !preview_.wants(exchange.request())) {
      auto body = co_await exchange.read_all(1 << 20);
      const bj::object order = bj::parse(body.value_or("{}")).as_object();
      change(access_, order);
      if (flag(order, "check")) shared_.live.check_soon(text(order, "id"));
      if (flag(order, "drop")) shared_.pool.drop(text(order, "id"));
      bj::object answer;
      bj::object& touches = answer["touches"].emplace_object();
      for (const auto& [id, count] : access_.touches) touches[id] = count;
      answer["idle"] = shared_.pool.idle_connections();
      answer["live"] = shared_.live.size();
      answer["short"] = short_ways_;
      co_await exchange.respond(net::Response::json(200, bj::serialize(answer)));
    } else if (preview_.wants(exchange.request())) {
      co_await preview_.handle(exchange, scheme);
    } else if (path == "/preview-login") {
      co_await preview_.handle_login(exchange);
    } else {
      co_await toolbox_.handle(exchange, scheme);
    }
  }

  net::MakeShortWay short_way(std::string scheme) {
    return [this, make = preview_.short_way(std::move(scheme))](const std::string& peer) {
      auto way = make(peer);
      return way ? std::make_unique<CountedWay>(std::move(way), short_ways_) : nullptr;
    };
  }
  Shared& shared() { return shared_; }
  Dialer& dialer() { return *dialer_; }

 private:
  FakeAccess access_;
  int short_ways_ = 0;
  Shared shared_;
  ToolboxProxy toolbox_;
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<TerminalService> terminal_;
  PreviewProxy preview_;
};

}  // namespace

int main(int argc, char** argv) {
  asio::io_context io(1);
  Rig rig(io, argc > 1 ? argv[1] : "");
  const net::PeerLimit peers{.each_max = 20,
                             .is_proxy = [](const std::string& address) { return address == "127.0.0.1"; }};
  auto server = net::make_server(
      io.get_executor(), {.peers = peers, .look_every = kLookEvery},
      [&](net::Exchange& exchange) { return rig.handle(exchange, "http"); },
      [](int status, std::string_view why) { return net::Response::text(status, std::string(why)); },
      rig.short_way("http"));
  auto port = server->listen_tcp("127.0.0.1", 0);
  if (!port) return std::fprintf(stderr, "%s\n", port.error().message().c_str()), 1;
  unsigned ssh_port = 0;
#ifdef SEBRING_HAS_SSH
  std::unique_ptr<ssh::Gateway> gateway;
  if (argc > 2) {
    auto made = ssh::make_gateway(io.get_executor(), rig.shared(), rig.dialer(), {.key_directory = argv[2]});
    if (!made) return std::fprintf(stderr, "%s\n", made.error().message().c_str()), 1;
    gateway = std::move(*made);
    auto listening = gateway->listen("127.0.0.1", 0);
    if (!listening) return std::fprintf(stderr, "%s\n", listening.error().message().c_str()), 1;
    ssh_port = *listening;
  }
#endif
  unsigned tls_port = 0;
  auto secure_server = net::make_server(
      io.get_executor(), {.peers = peers, .look_every = kLookEvery},
      [&](net::Exchange& exchange) { return rig.handle(exchange, "https"); },
      [](int status, std::string_view why) { return net::Response::text(status, std::string(why)); },
      rig.short_way("https"));
  std::unique_ptr<TlsFront> front;
  if (argc > 4) {
    auto made = make_tls_front(io.get_executor(), {.certificate = argv[3], .key = argv[4]}, *secure_server,
                               [](std::string text) { std::fprintf(stderr, "%s\n", text.c_str()); },
                               {.peers = peers, .stall_time = std::chrono::seconds(5), .look_every = kLookEvery});
    if (!made) return std::fprintf(stderr, "%s\n", made.error().message().c_str()), 1;
    front = std::move(*made);
    tls_port = front->listen_tcp("127.0.0.1", 0).value();
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::printf("%u %u %u\n", *port, ssh_port, tls_port);
  std::fflush(stdout);
  asio::posix::stream_descriptor input(io, ::dup(0));
  char byte;
  input.async_read_some(asio::buffer(&byte, 1), [&](auto, auto) {
#ifdef SEBRING_HAS_SSH
    if (gateway) {
      asio::co_spawn(io, gateway->stop(std::chrono::seconds(2)), [&](std::exception_ptr) { io.stop(); });
      return;
    }
#endif
    io.stop();
  });
  io.run();
}
