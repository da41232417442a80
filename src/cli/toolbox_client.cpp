#include "cli/toolbox_client.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/sandbox_commands.h"

namespace sebring::cli {
namespace asio = net::asio;
namespace bj = boost::json;
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
// What a server says about an error; more is not worth showing.
constexpr std::size_t kErrorBytesMax = 64 * 1024;

asio::awaitable<Result<std::string>> read_rest(net::ClientConnection& connection, std::size_t bytes_max) {
  std::string out, piece(kPieceBytes, '\0');
  while (out.size() < bytes_max) {
    SB_CO_TRY(std::size_t got, co_await connection.read_body(asio::buffer(piece)));
    if (got == 0) break;
    out.append(piece, 0, got);
  }
  co_return out;
}

// The error of an answer that is none of 2xx.
asio::awaitable<Result<void>> check(net::ClientConnection& connection, const net::ResponseHead& head) {
  if (head.status >= 200 && head.status < 300) co_return Result<void>{};
  SB_CO_TRY(std::string body, co_await read_rest(connection, kErrorBytesMax));
  auto answer = read_answer(net::Response{head.status, {}, std::move(body)});
  co_return std::unexpected(std::move(answer).error());
}

}  // namespace

Result<ToolboxClient> ToolboxClient::open(ApiClient& api, const std::string& box) {
  SB_TRY(bj::value value, api.get(sandbox_path(box)));
  if (!value.is_object()) return fail(Errc::bad_gateway, "the server answered no sandbox");
  bj::object& sandbox = value.get_object();
  const std::string state = field(sandbox, "state");
  if (state != "started") return fail(Errc::conflict, box + " is " + state + "; `sebring start " + box + "` first");
  const std::string& local = api.profile().toolbox_url;
  SB_TRY(Url url, parse_url(local.empty() ? field(sandbox, "toolboxProxyUrl") : local));
  url.base_path += "/" + percent_encode(field(sandbox, "id"));
  SB_TRY(Caller caller, Caller::to_url(url));
  return ToolboxClient(api, std::move(sandbox), std::move(url), std::move(caller));
}

Result<bj::value> ToolboxClient::call(std::string method, std::string path, const bj::value& body,
                                      std::chrono::milliseconds deadline) {
  auto response =
      caller_.ask(std::move(method), target(path), api_->headers(!body.is_null()), body_text(body), deadline);
  if (!response) return fail(std::move(response).error().while_doing("toolbox at " + url_.text()));
  auto value = read_answer(*response);
  if (!value) return fail(api_->explain(std::move(value).error(), url_.text()));
  return value;
}

net::RequestHead ToolboxClient::head(std::string method, const std::string& path) const {
  net::RequestHead out{.method = std::move(method), .target = target(path)};
  out.headers = api_->headers(false);
  out.headers.set("Host", caller_.host());
  return out;
}

Result<void> ToolboxClient::download(std::string path, const Sink& sink) {
  return caller_.run([&](net::Client& client) -> asio::awaitable<Result<void>> {
    net::RequestHead request = head("GET", path);
    request.headers.set("Accept", "*/*");
    SB_CO_TRY(auto connection, co_await client.take());
    SB_CO_CHECK(co_await connection->send_head(request));
    SB_CO_TRY(net::ResponseHead answer, co_await connection->read_head());
    SB_CO_CHECK(co_await check(*connection, answer));
    std::string piece(kPieceBytes, '\0');
    for (;;) {
      SB_CO_TRY(std::size_t got, co_await connection->read_body(asio::buffer(piece)));
      if (got == 0) break;
      SB_CO_CHECK(sink(std::string_view(piece).substr(0, got)));
    }
    if (connection->reusable()) client.give_back(std::move(connection));
    co_return Result<void>{};
  });
}

Result<bj::value> ToolboxClient::upload(std::string path, std::string content_type, const Source& source) {
  bj::value out;
  SB_CHECK(caller_.run([&](net::Client& client) -> asio::awaitable<Result<void>> {
    net::RequestHead request = head("POST", path);
    request.headers.set("Content-Type", content_type);
    request.headers.set("Transfer-Encoding", "chunked");
    SB_CO_TRY(auto connection, co_await client.take());
    SB_CO_CHECK(co_await connection->send_head(request));
    for (bool more = true; more;) {
      SB_CO_TRY(std::string piece, source());
      more = !piece.empty();
      // A server that refuses early closes; its answer says more than our failed write.
      if (more && !co_await connection->send_body(piece)) break;
      if (!more) (void)co_await connection->finish_body();
    }
    SB_CO_TRY(net::ResponseHead answer, co_await connection->read_head());
    SB_CO_CHECK(co_await check(*connection, answer));
    SB_CO_TRY(std::string body, co_await read_rest(*connection, 64 << 20));
    SB_CO_TRY(out, read_answer(net::Response{answer.status, {}, std::move(body)}));
    co_return Result<void>{};
  }));
  return out;
}

Result<void> ToolboxClient::with_websocket(std::string path, net::Headers more, const SocketWork& work) {
  return caller_.run([&](net::Client&) -> asio::awaitable<Result<void>> {
    net::Headers headers = api_->headers(false);
    for (const net::Header& header : more) headers.add(header.name, header.value);
    SB_CO_TRY(auto stream, co_await caller_.connect()());
    SB_CO_TRY(auto socket,
              co_await net::open_websocket(std::move(stream), caller_.host(), target(path), std::move(headers)));
    co_return co_await work(std::move(socket));
  });
}

asio::awaitable<void> ToolboxClient::send_later(std::string path, bj::value body) {
  net::Headers headers = api_->headers(true);
  headers.set("Host", caller_.host());
  (void)co_await caller_.client().ask("POST", target(path), std::move(headers), body_text(body),
                                      std::chrono::seconds(10));
}

Result<int> ToolboxClient::follow(std::string path, const Sink& heard) {
  int code = 0;
  SB_CHECK(
      with_websocket(std::move(path), {}, [&](std::unique_ptr<net::WebSocket> socket) -> asio::awaitable<Result<void>> {
        for (;;) {
          SB_CO_TRY(auto message, co_await socket->read());
          if (!message) break;
          SB_CO_CHECK(heard(message->data));
        }
        code = socket->close_code();
        co_return Result<void>{};
      }));
  return code;
}

}  // namespace sebring::cli
