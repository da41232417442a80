#include "toolbox/session_format.h"
#include "toolbox/utf8_pieces.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kFrameBytes = 32 * 1024;
// After the exit code is known: how long output of what the command left behind is still sent.
constexpr std::chrono::seconds kLateOutput{1};

// Answers pings and learns of the client's going away while the log is being sent.
asio::awaitable<void> watch_client(std::shared_ptr<net::WebSocket> socket, std::shared_ptr<Command> command,
                                   std::shared_ptr<bool> gone) {
  for (;;) {
    auto message = co_await socket->read();
    if (!message || !*message) break;
  }
  *gone = true;
  command->log().grown().notify();
}

struct Renderer {
  LogFormat format;
  Demuxer demuxer{Demuxer::Keep::both};
  Utf8Pieces utf8;

  std::string add(std::string piece) {
    if (format != LogFormat::plain) return piece;
    std::string kept;
    demuxer.add(piece, kept);
    return utf8.add(kept);
  }
  std::string finish() {
    if (format != LogFormat::plain) return {};
    std::string kept;
    demuxer.finish(kept);
    return utf8.add(kept) + utf8.finish();
  }
};

asio::awaitable<Result<void>> send_piece(net::WebSocket& socket, LogFormat format, const std::string& piece) {
  if (piece.empty()) co_return Result<void>{};
  if (format == LogFormat::plain) co_return co_await socket.send_text(piece);
  co_return co_await socket.send_binary(piece);
}

// Sends what there is; returns when there is nothing more to wait for.
asio::awaitable<Result<void>> send_until_end(net::WebSocket& socket, Command& command, LogFormat format, bool follow,
                                             const bool& gone) {
  Renderer renderer{format};
  std::uint64_t offset = 0;
  SessionLog& log = command.log();
  while (!gone) {
    const std::uint64_t seen = log.grown().version();
    const bool over =
        command.exit_code() && (command.output_ended() || Steady::now() >= command.finished_at() + kLateOutput);
    if (offset < log.size()) {
      SB_CO_TRY(std::string piece, co_await log.read(offset, kFrameBytes));
      offset += piece.size();
      SB_CO_CHECK(co_await send_piece(socket, format, renderer.add(std::move(piece))));
      continue;
    }
    if (!follow || over) break;
    const auto deadline = command.exit_code() ? command.finished_at() + kLateOutput : Steady::time_point::max();
    co_await log.grown().changed(seen, deadline);
  }
  co_return co_await send_piece(socket, format, renderer.finish());
}

}  // namespace

asio::awaitable<void> send_log(asio::io_context& io, std::shared_ptr<net::WebSocket> socket,
                               std::shared_ptr<Command> command, LogFormat format, bool follow) {
  auto gone = std::make_shared<bool>(false);
  in_background(io, watch_client(socket, command, gone), "log follower");
  auto sent = co_await send_until_end(*socket, *command, format, follow, *gone);
  if (*gone) {
    socket->abort();
  } else if (!sent) {
    co_await socket->close(1011, sent.error().message().substr(0, 120));
  } else {
    co_await socket->close(1000, "");
  }
}

}  // namespace sebring::toolbox
