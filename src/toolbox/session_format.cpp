#include "toolbox/session_format.h"

#include "base/text.h"
#include "toolbox/error_body.h"
#include "toolbox/utf8_pieces.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kWholeAnswerMax = 256 * 1024;  // longer ones are sent in pieces
constexpr std::size_t kPieceBytes = 128 * 1024;
constexpr SdkVersion kFirstMarked{0, 27, 0};
constexpr SdkVersion kFirstSplit{0, 167, 0};

// One walk through the log up to `end`. `keep` empty: with the markers. As the inside of a JSON string with `json`.
asio::awaitable<Result<void>> add_log(AnswerWriter& answer, SessionLog& log, std::uint64_t end,
                                      std::optional<Demuxer::Keep> keep, bool json) {
  Utf8Pieces utf8;
  Demuxer demuxer(keep.value_or(Demuxer::Keep::both));
  auto rendered = [json](const std::string& text) {
    if (!json) return text;
    std::string quoted;
    append_json_string(quoted, text);
    return quoted.substr(1, quoted.size() - 2);
  };
  std::uint64_t offset = 0;
  while (offset < end) {
    SB_CO_TRY(std::string piece,
              co_await log.read(offset, static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, end - offset))));
    if (piece.empty()) break;
    offset += piece.size();
    if (keep) {
      std::string kept;
      demuxer.add(piece, kept);
      if (offset == end) demuxer.finish(kept);
      piece = std::move(kept);
    }
    SB_CO_CHECK(co_await answer.add(rendered(json ? utf8.add(piece) : piece)));
  }
  if (json) SB_CO_CHECK(co_await answer.add(rendered(utf8.finish())));
  co_return Result<void>{};
}

asio::awaitable<Result<void>> add_split_fields(AnswerWriter& answer, SessionLog& log) {
  const std::uint64_t end = log.size();
  SB_CO_CHECK(co_await answer.add("\"output\":\""));
  SB_CO_CHECK(co_await add_log(answer, log, end, std::nullopt, true));
  SB_CO_CHECK(co_await answer.add("\",\"stdout\":\""));
  SB_CO_CHECK(co_await add_log(answer, log, end, Demuxer::Keep::out, true));
  SB_CO_CHECK(co_await answer.add("\",\"stderr\":\""));
  SB_CO_CHECK(co_await add_log(answer, log, end, Demuxer::Keep::err, true));
  co_return co_await answer.add("\"");
}

asio::awaitable<Result<void>> write_log(AnswerWriter& answer, SessionLog& log, LogFormat format) {
  if (format == LogFormat::split) {
    SB_CO_CHECK(co_await answer.add("{"));
    SB_CO_CHECK(co_await add_split_fields(answer, log));
    SB_CO_CHECK(co_await answer.add("}"));
  } else {
    std::optional<Demuxer::Keep> keep;
    if (format == LogFormat::plain) keep = Demuxer::Keep::both;
    SB_CO_CHECK(co_await add_log(answer, log, log.size(), keep, false));
  }
  co_return co_await answer.finish();
}

asio::awaitable<Result<void>> write_executed(AnswerWriter& answer, Command& command, LogFormat format) {
  SB_CO_CHECK(co_await answer.add("{\"cmdId\":\"" + command.id() + "\","));
  if (format == LogFormat::split) {
    SB_CO_CHECK(co_await add_split_fields(answer, command.log()));
  } else {
    std::optional<Demuxer::Keep> keep;
    if (format == LogFormat::plain) keep = Demuxer::Keep::both;
    SB_CO_CHECK(co_await answer.add("\"output\":\""));
    SB_CO_CHECK(co_await add_log(answer, command.log(), command.log().size(), keep, true));
    SB_CO_CHECK(co_await answer.add("\",\"stdout\":null,\"stderr\":null"));
  }
  SB_CO_CHECK(co_await answer.add(",\"exitCode\":" + std::to_string(command.exit_code().value_or(0)) + "}"));
  co_return co_await answer.finish();
}

}  // namespace

LogFormat log_format(std::optional<SdkVersion> version, bool split_header) {
  if (!version) return split_header ? LogFormat::marked : LogFormat::plain;
  if (*version < kFirstMarked) return LogFormat::plain;
  return *version < kFirstSplit ? LogFormat::marked : LogFormat::split;
}

LogFormat log_format(const net::Exchange& exchange) {
  const auto header = exchange.request().headers.find("X-Daytona-Split-Output");
  return log_format(sdk_version(exchange), header && *header == "true");
}

asio::awaitable<Result<void>> AnswerWriter::add(std::string_view text) {
  waiting_ += text;
  if (waiting_.size() < kWholeAnswerMax) co_return Result<void>{};
  if (!started_) {
    started_ = true;
    net::ResponseHead head{.status = status_};
    head.headers.add("Content-Type", content_type_);
    SB_CO_CHECK(co_await exchange_.start(std::move(head)));
  }
  const std::string piece = std::exchange(waiting_, {});
  co_return co_await exchange_.write(piece);
}

asio::awaitable<Result<void>> AnswerWriter::finish() {
  if (!started_) {
    net::Response response{.status = status_, .headers = {}, .body = std::move(waiting_)};
    response.headers.add("Content-Type", content_type_);
    co_return co_await exchange_.respond(std::move(response));
  }
  if (!waiting_.empty()) SB_CO_CHECK(co_await exchange_.write(waiting_));
  co_return co_await exchange_.finish();
}

asio::awaitable<void> answer_log(net::Exchange& exchange, std::shared_ptr<Command> command, LogFormat format) {
  AnswerWriter answer(exchange, 200,
                      format == LogFormat::split ? "application/json; charset=utf-8" : "text/plain; charset=utf-8");
  auto written = co_await write_log(answer, command->log(), format);
  if (!written) co_await answer_error(exchange, written.error());
}

asio::awaitable<void> answer_executed(net::Exchange& exchange, std::shared_ptr<Command> command, LogFormat format) {
  AnswerWriter answer(exchange, 200, "application/json; charset=utf-8");
  auto written = co_await write_executed(answer, *command, format);
  if (!written) co_await answer_error(exchange, written.error());
}

asio::awaitable<void> answer_accepted(net::Exchange& exchange, std::shared_ptr<Command> command) {
  co_await exchange.respond(net::Response::json(
      202, "{\"cmdId\":\"" + command->id() + "\",\"output\":null,\"stdout\":null,\"stderr\":null,\"exitCode\":null}"));
}

void append_command(std::string& out, const Command& command) {
  out += "{\"id\":";
  append_json_string(out, command.id());
  out += ",\"command\":";
  append_json_string(out, command.text());
  if (auto code = command.exit_code()) out += ",\"exitCode\":" + std::to_string(*code);
  out += '}';
}

std::string session_json(const Session& session) {
  std::string out = "{\"sessionId\":";
  append_json_string(out, session.id());
  out += ",\"commands\":[";
  bool first = true;
  for (const auto& command : session.commands()) {
    if (!first) out += ',';
    first = false;
    append_command(out, *command);
  }
  out += "]}";
  return out;
}

}  // namespace sebring::toolbox
