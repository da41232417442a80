#include <doctest/doctest.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/client.h"
#include "net/server.h"

namespace {
using namespace sebring;
using namespace sebring::net;

Response plain_error(int status, std::string_view why) { return Response::text(status, std::string(why)); }

int clients_told = 0;  // by /watch

// Echoes what it was asked, by path.
asio::awaitable<void> handle(Exchange& exchange) {
  const std::string path = exchange.request().path;
  if (path == "/echo") {
    auto body = co_await exchange.read_all(1 << 20);
    if (!body) {
      co_await exchange.respond(plain_error(400, body.error().message()));
      co_return;
    }
    co_await exchange.respond(Response::text(200, exchange.request().method + " " + *body));
  } else if (path == "/forward") {  // says nothing to whom it takes for gone
    if (auto body = co_await exchange.read_all(1 << 20)) co_await exchange.respond(Response::text(200, *body));
  } else if (path == "/stream") {
    co_await exchange.start({.status = 200});
    for (int i = 0; i < 3; ++i) co_await exchange.write("piece" + std::to_string(i) + ";");
    co_await exchange.finish();
  } else if (path == "/unread") {
    co_await exchange.respond(Response::text(200, "early"));
  } else if (path == "/throw") {
    throw std::runtime_error("broken assumption");
  } else if (path == "/socket") {
    auto socket = co_await exchange.accept_websocket({.subprotocol = "two"});
    if (!socket) {
      co_await exchange.respond(plain_error(400, socket.error().message()));
      co_return;
    }
    for (;;) {
      auto message = co_await (*socket)->read();
      if (!message || !*message) co_return;
      co_await (*socket)->send_text("got " + (*message)->data);
      if ((*message)->data == "bye") co_await (*socket)->close(4001, "why not");
    }
  } else if (path == "/slow") {
    co_await sleep_for(std::chrono::milliseconds(100));
    co_await exchange.respond(Response::text(200, "slow"));
  } else if (path == "/wait") {
    co_await exchange.client_gone();
  } else if (path == "/watch") {
    // Ends when it is told, or as if nobody ever told it.
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::seconds(10));
    bool told = false;
    exchange.watch_client([&] { told = true, timer.cancel(); });
    (void)co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    exchange.watch_client(nullptr);
    clients_told += told;
  }
}

class Rig {
 public:
  explicit Rig(ServerLimits limits = {}) : server_(make_server(io_.get_executor(), limits, handle, plain_error)) {
    port_ = server_->listen_tcp("127.0.0.1", 0).value();
  }
  // Runs `work` to its end on the loop, the server beside it.
  template <class Work>
  void run(Work work) {
    std::exception_ptr thrown;
    bool done = false;
    asio::co_spawn(io_, work(*this), [&](std::exception_ptr e) {
      thrown = e;
      done = true;
      io_.stop();
    });
    io_.restart();
    io_.run_for(std::chrono::seconds(60));
    REQUIRE(done);
    if (thrown) std::rethrow_exception(thrown);
  }
  asio::awaitable<std::string> raw(std::string text) {
    auto stream = co_await connect_tcp("127.0.0.1", port_);
    co_await (*stream)->write(asio::buffer(text));
    (*stream)->shutdown_write();
    co_return co_await read_to_end(**stream);
  }
  static asio::awaitable<std::string> read_to_end(ByteStream& stream) {
    std::string all;
    char piece[4096];
    for (;;) {
      auto got = co_await stream.read_some(asio::buffer(piece));
      if (!got || *got == 0) co_return all;
      all.append(piece, *got);
    }
  }
  std::uint16_t port() const { return port_; }
  Server& server() { return *server_; }

 private:
  asio::io_context io_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

asio::awaitable<void> keep_alive(Rig& rig) {
  const std::string answer = co_await rig.raw(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nTrailer: "
      "t\r\n\r\n"
      "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
      "HEAD /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(answer ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\n\r\nPOST abc"
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\n\r\nPOST def"
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\npiece0;\r\n7\r\npiece1;\r\n7\r\npiece2;\r\n0\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
}

asio::awaitable<void> bad_input(Rig& rig) {
  struct Row {
    const char* text;
    const char* start;
  } rows[] = {{"nonsense\r\n\r\n", "HTTP/1.1 400 "},
              {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 "},
              {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "HTTP/1.1 400 "},
              {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabcd\r\n", "HTTP/1.1 400 "},
              {"GET http://b/echo HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
              {"GET /throw HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 500 "},
              {"GET /socket HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
              {"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 500 "}};
  for (const Row& row : rows) {
    const std::string answer = co_await rig.raw(row.text);
    CAPTURE(row.text);
    CHECK(answer.starts_with(row.start));
  }
  const std::string long_head = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n";
  CHECK((co_await rig.raw(long_head)).starts_with("HTTP/1.1 431 "));
  const std::string too_large =
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + std::string(2'000'000, 'x');
  CHECK((co_await rig.raw(too_large)).find("larger than 1048576") != std::string::npos);
  CHECK((co_await rig.raw(
             "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcdeGET /stream HTTP/1.0\r\n\r\n"))
            .ends_with("piece0;piece1;piece2;"));
  // Who sends more than is read past is told that the connection ends.
  const std::string unread = co_await rig.raw("POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" +
                                              std::string(1'000'000, 'x'));
  CHECK(unread.ends_with("Connection: close\r\n\r\nearly"));
}

asio::awaitable<void> client_side(Rig& rig) {
  Client client([port = rig.port()] { return connect_tcp("127.0.0.1", port); });
  for (int i = 0; i < 3; ++i) {
    auto answer = co_await client.ask("POST", "/echo", {}, std::string(300'000, 'y'), std::chrono::seconds(30));
    REQUIRE(answer.has_value());
    CHECK(answer->body.size() == 300'005);
    auto streamed = co_await client.ask("GET", "/stream", {}, "", std::chrono::seconds(30));
    REQUIRE(streamed.has_value());
    CHECK(streamed->body == "piece0;piece1;piece2;");
  }
  auto late = co_await client.ask("GET", "/wait", {}, "", std::chrono::milliseconds(50));
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code() == Errc::timed_out);
}

asio::awaitable<void> websocket(Rig& rig) {
  auto stream = co_await connect_tcp("127.0.0.1", rig.port());
  Headers headers;
  headers.add("Sec-WebSocket-Protocol", "one, two");
  auto socket = co_await open_websocket(std::move(*stream), "a", "/socket", headers);
  REQUIRE(socket.has_value());
  co_await (*socket)->send_text("hello");
  auto message = co_await (*socket)->read();
  REQUIRE(message.has_value());
  CHECK((**message).data == "got hello");
  CHECK((**message).text);
  co_await (*socket)->send_binary("bye");
  message = co_await (*socket)->read();
  CHECK((**message).data == "got bye");
  message = co_await (*socket)->read();
  REQUIRE(message.has_value());
  CHECK_FALSE(message->has_value());
  CHECK((*socket)->close_code() == 4001);
}

asio::awaitable<void> watched(Rig& rig) {
  auto stream = co_await connect_tcp("127.0.0.1", rig.port());
  auto staying = co_await connect_tcp("127.0.0.1", rig.port());
  constexpr std::string_view kRequest = "GET /watch HTTP/1.1\r\nHost: a\r\n\r\n";
  co_await (*stream)->write(asio::buffer(kRequest));
  co_await (*staying)->write(asio::buffer(kRequest));
  co_await (*staying)->write(asio::buffer(kRequest));  // what follows already is no end
  co_await sleep_for(std::chrono::milliseconds(50));
  CHECK(clients_told == 0);
  (*stream)->close();
  for (int i = 0; i < 1000 && clients_told == 0; ++i) co_await sleep_for(std::chrono::milliseconds(5));
  CHECK(clients_told == 1);
}

asio::awaitable<void> gone(Rig& rig) {
  // The handler of /wait ends only because the client goes away; a second connection proves that the loop is alive.
  {
    auto stream = co_await connect_tcp("127.0.0.1", rig.port());
    constexpr std::string_view kRequest = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
    co_await (*stream)->write(asio::buffer(kRequest));
    co_await sleep_for(std::chrono::milliseconds(20));
  }
  CHECK((co_await rig.raw("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")).starts_with("HTTP/1.1 200"));
}

}  // namespace

// A stream that sends `text` and then nothing; what it gets until the end.
asio::awaitable<std::string> send_and_stall(Rig& rig, std::string text) {
  auto stream = co_await connect_tcp("127.0.0.1", rig.port());
  co_await (*stream)->write(asio::buffer(text));
  co_return co_await Rig::read_to_end(**stream);
}

asio::awaitable<void> stalled_bodies(Rig& rig) {
  for (const char* rest :
       {"Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nab", "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"}) {
    const std::string answer = co_await send_and_stall(rig, std::string("POST /echo HTTP/1.1\r\nHost: a\r\n") + rest);
    CAPTURE(rest);
    CHECK(answer.find("HTTP/1.1 408 ") != std::string::npos);
    CHECK(answer.find("Connection: close") != std::string::npos);
  }
}

// Ceases to send, and still reads.
asio::awaitable<void> cut_bodies(Rig& rig) {
  for (const char* path : {"/echo", "/forward"}) {
    for (const char* rest : {"Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\nabc",
                             "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
      auto stream = co_await connect_tcp("127.0.0.1", rig.port());
      const std::string request = std::string("POST ") + path + " HTTP/1.1\r\nHost: a\r\n" + rest;
      co_await (*stream)->write(asio::buffer(request));
      (*stream)->shutdown_write();
      const std::string answer = co_await Rig::read_to_end(**stream);
      CAPTURE(request);
      CHECK(answer.starts_with("HTTP/1.1 400 "));
      CHECK(answer.find("Connection: close") != std::string::npos);
      CHECK(answer.ends_with("the connection ended in the middle of the request's body"));
    }
  }
}

// Slower than the limit in all, but never for so long without a byte.
asio::awaitable<void> trickling_body(Rig& rig) {
  auto stream = co_await connect_tcp("127.0.0.1", rig.port());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 30\r\n\r\n";
  co_await (*stream)->write(asio::buffer(head));
  for (int i = 0; i < 30; ++i) {
    co_await sleep_for(std::chrono::milliseconds(100));
    co_await (*stream)->write(asio::buffer("x", 1));
  }
  char piece[4096];
  auto got = co_await (*stream)->read_some(asio::buffer(piece));
  REQUIRE(got.has_value());
  CHECK(std::string_view(piece, *got).starts_with("HTTP/1.1 200 "));
}

asio::awaitable<std::string> answer_when_stopped(Rig& rig, std::string request, std::chrono::milliseconds grace,
                                                 std::string farewell) {
  auto stream = co_await connect_tcp("127.0.0.1", rig.port());
  co_await (*stream)->write(asio::buffer(request));
  co_await sleep_for(std::chrono::milliseconds(30));
  co_await rig.server().stop(grace, farewell);
  co_return co_await Rig::read_to_end(**stream);
}

TEST_CASE("a server that stops answers whom it keeps waiting") {
  constexpr std::chrono::milliseconds kSoon{20};
  constexpr std::chrono::seconds kLong{30};
  struct Row {
    const char* request;
    std::chrono::milliseconds grace;
    const char* farewell;
    const char* start;
    const char* end;
  } rows[] = {
      {"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", kSoon, "come back", "HTTP/1.1 503 ",
       "Connection: close\r\n\r\ncome back"},
      {"HEAD /wait HTTP/1.1\r\nHost: a\r\n\r\n", kSoon, "come back", "HTTP/1.1 503 ", "Connection: close\r\n\r\n"},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", kSoon, "come back", "HTTP/1.1 503 ",
       "come back"},
      {"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", kSoon, "", "", ""},
      {"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", kLong, "come back", "HTTP/1.1 200 ", "Connection: close\r\n\r\nslow"},
      {"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", kSoon, "come back", "HTTP/1.1 200 ", "0\r\n\r\n"}};
  for (const Row& row : rows) {
    CAPTURE(row.request);
    std::string answer;
    Rig().run([&](Rig& rig) -> asio::awaitable<void> {
      answer = co_await answer_when_stopped(rig, row.request, row.grace, row.farewell);
    });
    CAPTURE(answer);
    CHECK(answer.starts_with(row.start));
    CHECK(answer.ends_with(row.end));
    CHECK(answer.empty() == (*row.start == '\0'));
  }
}

TEST_CASE("several requests on one connection, byte for byte") { Rig().run(keep_alive); }
asio::awaitable<void> large_bodies(Rig& rig) {
  const auto ask = [&rig](std::size_t bytes, std::size_t sent) {
    return rig.raw("POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " + std::to_string(bytes) +
                   "\r\n\r\n" + std::string(sent, 'x'));
  };
  // One that announces much and sends nothing takes none of the room.
  auto waiting = co_await connect_tcp("127.0.0.1", rig.port());
  co_await (*waiting)->write(asio::buffer("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n"));
  for (int i = 0; i < 5; ++i) {
    auto answer = co_await ask(100'000, 100'000);
    CHECK(answer.starts_with("HTTP/1.1 200 "));
    CHECK(answer.ends_with("xxx"));
    answer = co_await ask(300'000, 300'000);
    CHECK(answer.starts_with("HTTP/1.1 400 "));
    CHECK(answer.find("try again") != std::string::npos);
  }
}

TEST_CASE("bad input is answered and closed") { Rig().run(bad_input); }
TEST_CASE("client keeps connections and deadlines") { Rig().run(client_side); }
TEST_CASE("WebSocket both ways, subprotocol, close code") { Rig().run(websocket); }
TEST_CASE("a client that goes away is noticed") { Rig().run(gone); }
TEST_CASE("a watched client that goes away is told of once, one that stays is not") {
  clients_told = 0;
  Rig({.look_every = std::chrono::milliseconds(5)}).run(watched);
}

TEST_CASE("bodies in memory are bounded together") { Rig({.kept_body_bytes_max = 200'000}).run(large_bodies); }
TEST_CASE("a body that stalls is answered with 408") {
  Rig rig({.body_stall_time = std::chrono::milliseconds(100), .look_every = std::chrono::milliseconds(20)});
  rig.run(stalled_bodies);
}

TEST_CASE("a body that ends early is answered with 400") { Rig().run(cut_bodies); }

TEST_CASE("a body that trickles is read to its end") {
  Rig rig({.body_stall_time = std::chrono::milliseconds(2000), .look_every = std::chrono::milliseconds(20)});
  rig.run(trickling_body);
}
