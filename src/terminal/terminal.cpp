#include "terminal/terminal.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>

#include "base/random.h"
#include "base/text.h"
#include "json/json.h"
#include "net/client.h"
#include "proxy/errors.h"
#include "terminal/assets.h"
#include "terminal/text_stream.h"

namespace sebring::terminal {
namespace {

namespace asio = boost::asio;
// The toolbox takes 64 KiB at once; a pasted file may be larger.
constexpr std::size_t kInputPiece = 32 * 1024;
constexpr std::size_t kMessageBytesMax = 4 * 1024 * 1024;
constexpr std::chrono::seconds kAskTime{10};

constexpr std::int64_t kCountMax = 1000;  // of rows and columns, as the toolbox takes them

struct Size {
  int cols = 80;
  int rows = 24;
};

// {"rows": 24, "cols": 80}, and nothing else that a user might type.
std::optional<Size> parse_resize(const net::WebSocket::Message& message) {
  if (!message.text || !message.data.starts_with('{') || message.data.size() > 200) return std::nullopt;
  auto object = json::parse_object(message.data);
  if (!object || !object->contains("rows") || !object->contains("cols")) return std::nullopt;
  json::ObjectReader reader(*object);
  constexpr std::int64_t kAny = 1'000'000;
  const auto rows = reader.integer("rows", -kAny, kAny);
  const auto cols = reader.integer("cols", -kAny, kAny);
  if (!rows || !cols) return std::nullopt;
  // A window without height, or one larger than terminals get here, is a size all the same and was not typed.
  const auto fit = [](std::int64_t count) { return static_cast<int>(std::clamp<std::int64_t>(count, 1, kCountMax)); };
  return Size{.cols = fit(*cols), .rows = fit(*rows)};
}

bool is_session_name(std::string_view name) {
  return name.size() >= 8 && name.size() <= 64 &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
             std::string_view::npos;
}

net::Client make_toolbox_client(const std::string& socket) {
  return net::Client([socket] { return net::connect_unix(socket); }, 1);
}

asio::awaitable<Result<std::unique_ptr<net::WebSocket>>> open_pty(std::string socket, std::string id) {
  // The one of before, else a new one.
  for (const std::string& target :
       {"/process/pty/create-connect?id=" + id + "&cols=80&rows=24", "/process/pty/" + id + "/connect"}) {
    SB_CO_TRY(auto stream, co_await net::connect_unix(socket));
    auto opened = co_await net::open_websocket(std::move(stream), "sandbox", target, {});
    if (opened || opened.error().message().find("409") == std::string::npos) co_return opened;
  }
  co_return fail(Errc::conflict, "the terminal has just ended; try again");
}

// Both sides of one terminal while its page is connected.
class Bridge {
 public:
  Bridge(net::WebSocket& page, net::WebSocket& pty, std::string socket, std::string id)
      : page_(page), pty_(pty), client_(make_toolbox_client(socket)), id_(std::move(id)) {}

  asio::awaitable<void> run() {
    using asio::experimental::awaitable_operators::operator||;
    co_await (from_page() || from_pty());
  }
  bool ended() const { return ended_; }
  // The page is told; run() returns soon.
  void end(std::uint16_t code, std::string why) {
    over_code_ = code;
    over_why_ = std::move(why);
    pty_.abort();
    if (telling_) page_.abort();  // it does not listen
  }

 private:
  asio::awaitable<void> from_page() {
    for (;;) {
      auto message = co_await page_.read();
      if (!message || !*message) co_return;
      if (auto size = parse_resize(**message)) {
        co_await resize(*size);
        continue;
      }
      const std::string input = std::move((*message)->data);
      for (std::size_t at = 0; at < input.size(); at += kInputPiece) {
        if (!co_await pty_.send_binary(std::string_view(input).substr(at, kInputPiece))) co_return;
      }
    }
  }

  asio::awaitable<void> from_pty() {
    TextStream text;
    for (;;) {
      auto message = co_await pty_.read();
      if (!message || !*message) break;
      if ((*message)->text) {
        co_await control((*message)->data);
        continue;
      }
      const std::string said = text.add((*message)->data);
      telling_ = !said.empty();
      if (telling_ && !co_await page_.send_text(said)) co_return;
      telling_ = false;
    }
    if (over_code_ != 0) co_return co_await page_.close(over_code_, over_why_);
    ended_ = pty_.close_code() == 1000 || pty_.close_code() == 1011;
    co_await page_.close(ended_ ? 1000 : 1012, ended_ ? "the shell has ended" : "the connection was lost");
  }

  asio::awaitable<void> control(std::string text) {
    auto object = json::parse_object(text);
    if (!object) co_return;
    json::ObjectReader reader(*object);
    if (reader.text("status").value_or("") != "error") co_return;
    (void)co_await page_.send_text("\r\n[" + to_valid_utf8(reader.text("error").value_or("failed")) + "]\r\n");
  }

  asio::awaitable<void> resize(Size size) {
    const boost::json::object body{{"cols", size.cols}, {"rows", size.rows}};
    net::Headers headers;
    headers.set("Content-Type", "application/json");
    (void)co_await client_.ask("POST", "/process/pty/" + id_ + "/resize", std::move(headers), json::serialize(body),
                               kAskTime);
  }

  net::WebSocket& page_;
  net::WebSocket& pty_;
  net::Client client_;
  std::string id_;
  bool ended_ = false;
  bool telling_ = false;
  std::uint16_t over_code_ = 0;
  std::string over_why_;
};

std::string_view content_type(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  return "text/javascript; charset=utf-8";
}

class Terminal final : public proxy::TerminalService {
 public:
  Terminal(asio::any_io_executor executor, proxy::Shared& shared, TerminalOptions options)
      : executor_(std::move(executor)), shared_(shared), options_(std::move(options)) {}

  asio::awaitable<Result<void>> serve(net::Exchange& exchange, proxy::Sandbox sandbox, proxy::Grant grant,
                                      std::string path, std::string set_cookie) override {
    const std::string& method = exchange.request().method;
    if (path == "/ws") co_return co_await serve_socket(exchange, std::move(sandbox), std::move(grant));
    if (method != "GET" && method != "HEAD") {
      net::Response response =
          proxy::error_response(Error(Errc::invalid_argument, "method not allowed"), exchange.request());
      response.status = 405;
      response.headers.set("Allow", "GET, HEAD");
      (void)co_await exchange.respond(std::move(response));
      co_return Result<void>{};
    }
    constexpr std::string_view kAssets = "/assets/";
    std::string name = path == "/" ? "terminal.html" : std::string();
    if (path.starts_with(kAssets)) name = path.substr(kAssets.size());
    const auto content = find_asset(name);
    if (!content) co_return fail(Errc::not_found, "the terminal has no such file");
    net::Response response = net::Response::text(200, std::string(*content), std::string(content_type(name)));
    response.headers.set("X-Content-Type-Options", "nosniff");
    response.headers.set("Referrer-Policy", "no-referrer");
    if (!set_cookie.empty()) response.headers.set("Set-Cookie", std::move(set_cookie));
    response.headers.set("Cache-Control", name == "terminal.html" ? "no-store" : "private, max-age=3600");
    if (name == "terminal.html") response.headers.set("Content-Security-Policy", page_policy(exchange.request()));
    (void)co_await exchange.respond(std::move(response));
    co_return Result<void>{};
  }

 private:
  std::string page_policy(const net::RequestHead& request) const {
    const std::string host(request.headers.find("Host").value_or(""));
    std::string policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; connect-src 'self' ws://" +
        host + " wss://" + host + "; frame-ancestors 'self'";
    if (!options_.platform_origin.empty()) policy += " " + options_.platform_origin;
    return policy;
  }

  asio::awaitable<Result<void>> serve_socket(net::Exchange& exchange, proxy::Sandbox sandbox, proxy::Grant grant) {
    if (!exchange.wants_websocket()) co_return fail(Errc::invalid_argument, "expected a WebSocket upgrade");
    const net::Query query(exchange.request().query);
    const std::string name(query.find("session").value_or(""));
    if (!name.empty() && !is_session_name(name)) co_return fail(Errc::invalid_argument, "bad session name");
    const std::string id = "web-" + (name.empty() ? random_hex(16) : name);
    const auto use = shared_.activity.use(sandbox.id);
    // Before the upgrade, where a failure can still be told by a status.
    auto pty = co_await open_pty(sandbox.toolbox_socket, id);
    if (!pty) {
      co_return fail(std::move(pty.error()).while_doing("the sandbox's terminal").with_code(Errc::bad_gateway));
    }
    auto page = co_await exchange.accept_websocket({.message_bytes_max = kMessageBytesMax});
    if (!page) co_return fail(std::move(page.error()));
    const std::string key = sandbox.id + "/" + id;
    const std::uint64_t visit = ++visits_[key];
    {
      Bridge bridge(**page, **pty, sandbox.toolbox_socket, id);
      const auto live = shared_.live.add(sandbox.id, std::move(grant), [&bridge](const proxy::Over& over) {
        bridge.end(over.close_code(), over.error.message());
      });
      co_await bridge.run();
      if (bridge.ended()) visits_.erase(key);
    }
    (*pty)->abort();
    if (name.empty()) {
      visits_.erase(key);
      co_await end_shell(sandbox.toolbox_socket, id);
    } else if (visits_.contains(key)) {
      asio::co_spawn(executor_, end_shell_later(sandbox, id, visit), asio::detached);
    }
    co_return Result<void>{};
  }

  static asio::awaitable<void> end_shell(std::string socket, std::string id) {
    net::Client client = make_toolbox_client(socket);
    (void)co_await client.ask("DELETE", "/process/pty/" + id, {}, "", kAskTime);
  }

  // A page that comes back meanwhile counts a new visit.
  asio::awaitable<void> end_shell_later(proxy::Sandbox sandbox, std::string id, std::uint64_t visit) {
    const std::string key = sandbox.id + "/" + id;
    if (!co_await net::sleep_for(options_.keep_shell)) co_return;
    const auto found = visits_.find(key);
    if (found == visits_.end() || found->second != visit) co_return;
    visits_.erase(found);
    auto now = co_await shared_.access.find(sandbox.id);
    if (now && now->started && now->toolbox_socket == sandbox.toolbox_socket) {
      co_await end_shell(sandbox.toolbox_socket, id);
    }
  }

  asio::any_io_executor executor_;
  proxy::Shared& shared_;
  TerminalOptions options_;
  std::map<std::string, std::uint64_t> visits_;  // of named shells, until they end
};

}  // namespace

std::unique_ptr<proxy::TerminalService> make_terminal(asio::any_io_executor executor, proxy::Shared& shared,
                                                      TerminalOptions options) {
  return std::make_unique<Terminal>(std::move(executor), shared, std::move(options));
}

}  // namespace sebring::terminal
