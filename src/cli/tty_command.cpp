#include "cli/tty_command.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include "base/random.h"
#include "base/text.h"
#include "cli/shell_quote.h"
#include "cli/terminal.h"
#include "cli/toolbox_client.h"
#include "json/json.h"
#include "net/exchange.h"

namespace sebring::cli {
namespace asio = net::asio;
namespace bj = boost::json;
using asio::experimental::awaitable_operators::operator||;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
namespace {

constexpr std::chrono::seconds kCallDeadline{30};

// One terminal session, on the event loop of the toolbox client.
class Session {
 public:
  Session(ToolboxClient& toolbox, const Output& output, std::string id)
      : toolbox_(toolbox), output_(output), id_(std::move(id)) {}

  asio::awaitable<Result<void>> run(std::unique_ptr<net::WebSocket> socket, std::string first_input) {
    socket_ = std::move(socket);
    if (!first_input.empty()) SB_CO_CHECK(co_await socket_->send_binary(first_input));
    auto executor = co_await asio::this_coro::executor;
    input_ = std::make_unique<asio::posix::stream_descriptor>(executor, ::dup(STDIN_FILENO));
    resizes_ = std::make_unique<asio::signal_set>(executor, SIGWINCH);
    auto outcome = co_await (show() || type() || follow_size());
    input_.reset();
    if (outcome.index() == 0) co_return std::get<0>(std::move(outcome));
    co_return Result<void>{};
  }
  // nullopt: the connection ended without saying how the shell did.
  const std::optional<TerminalEnd>& end() const { return end_; }

 private:
  asio::awaitable<Result<void>> show() {
    for (;;) {
      SB_CO_TRY(auto message, co_await socket_->read());
      if (!message) co_return Result<void>{};
      if (!message->text) {
        output_.write(message->data);
      } else if (auto end = parse_terminal_end(message->data)) {
        end_ = std::move(end);
      }
    }
  }

  // Ends never by itself: what is typed last may still be answered.
  asio::awaitable<void> type() {
    std::string bytes(4096, '\0');
    for (;;) {
      // Not made non-blocking: that would hold for everybody who shares this terminal, and stay.
      auto [wait_error] = co_await input_->async_wait(asio::posix::stream_descriptor::wait_read, kToken);
      ssize_t got = wait_error ? -1 : ::read(STDIN_FILENO, bytes.data(), bytes.size());
      if (got <= 0) break;
      if (!co_await socket_->send_binary(std::string_view(bytes).substr(0, static_cast<std::size_t>(got)))) break;
    }
    (void)co_await net::sleep_for(std::chrono::hours(24 * 365));
  }

  asio::awaitable<void> follow_size() {
    for (;;) {
      auto [error, number] = co_await resizes_->async_wait(kToken);
      if (error) co_return;
      const TerminalSize size = terminal_size();
      co_await toolbox_.send_later("/process/pty/" + percent_encode(id_) + "/resize",
                                   bj::object{{"cols", size.columns}, {"rows", size.rows}});
    }
  }

  ToolboxClient& toolbox_;
  const Output& output_;
  std::string id_;
  std::unique_ptr<net::WebSocket> socket_;
  std::unique_ptr<asio::posix::stream_descriptor> input_;
  std::unique_ptr<asio::signal_set> resizes_;
  std::optional<TerminalEnd> end_;
};

Result<bj::object> create_request(const std::string& id, const ExecOptions& options) {
  const TerminalSize size = terminal_size();
  bj::object body{{"id", id}, {"cols", size.columns}, {"rows", size.rows}};
  if (!options.cwd.empty()) body["cwd"] = options.cwd;
  SB_TRY(bj::object env, environment_of(options));
  if (!env.empty()) body["envs"] = std::move(env);
  return body;
}

Result<int> run_session(ApiClient& api, const Output& output, const ExecOptions& options) {
  SB_TRY(ToolboxClient toolbox, ToolboxClient::open(api, options.box));
  const std::string id = "cli-" + random_hex(8);
  SB_TRY(bj::object body, create_request(id, options));
  SB_TRY(bj::value made, toolbox.call("POST", "/process/pty", std::move(body), kCallDeadline));
  SB_TRY(RawTerminal raw, RawTerminal::enter());
  const std::string first = options.command.empty() ? "" : "exec " + program_line(options.command) + "\n";
  Session session(toolbox, output, id);
  net::Headers headers;
  headers.add("Sec-WebSocket-Protocol", "X-Daytona-Pty-Exit-Control");
  SB_CHECK(toolbox.with_websocket(
      "/process/pty/" + id + "/connect", std::move(headers),
      [&](std::unique_ptr<net::WebSocket> socket) { return session.run(std::move(socket), first); }));
  if (!session.end()) return fail(Errc::unavailable, "the connection ended; the shell may still run");
  if (!session.end()->exited) return fail(Errc::bad_gateway, session.end()->error);
  return session.end()->exit_code;
}

}  // namespace

std::optional<TerminalEnd> parse_terminal_end(std::string_view text) {
  auto object = json::parse_object(text);
  if (!object || field(*object, "type") != "control") return std::nullopt;
  const std::string status = field(*object, "status");
  if (status == "error") return TerminalEnd{false, 0, field(*object, "error")};
  if (status != "exited") return std::nullopt;
  return TerminalEnd{true, static_cast<int>(parse_integer(field(*object, "exitCode")).value_or(kExecFailed)), ""};
}

int exec_in_terminal(ApiClient& api, const Output& output, const ExecOptions& options) {
  auto code = run_session(api, output, options);
  return code ? *code & 0xff : output.fail(code.error(), kExecFailed);
}

}  // namespace sebring::cli
