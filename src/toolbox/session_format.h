#pragma once
// The three shapes in which clients of different age want logs.
#include <optional>
#include <string>

#include "net/exchange.h"
#include "toolbox/answer.h"
#include "toolbox/session.h"

namespace sebring::toolbox {

enum class LogFormat {
  plain,   // markers gone, both streams as one text
  marked,  // the log as it is; the client takes it apart
  split,   // JSON with output, stdout and stderr
};

// `split_header`: X-Daytona-Split-Output: true. Versions before 0.27.0, or none without the header: plain. Before
// 0.167.0, or none with the header: marked. Others, and "dev": split.
LogFormat log_format(std::optional<SdkVersion> version, bool split_header);
LogFormat log_format(const net::Exchange& exchange);

// An answer that is sent whole when it is short, and in pieces when it is not.
class AnswerWriter {
 public:
  AnswerWriter(net::Exchange& exchange, int status, std::string content_type)
      : exchange_(exchange), status_(status), content_type_(std::move(content_type)) {}
  asio::awaitable<Result<void>> add(std::string_view text);
  asio::awaitable<Result<void>> finish();

 private:
  net::Exchange& exchange_;
  int status_;
  std::string content_type_;
  std::string waiting_;
  bool started_ = false;
};

// Answers with the log as it is now.
asio::awaitable<void> answer_log(net::Exchange& exchange, std::shared_ptr<Command> command, LogFormat format);
// 200 with output and exit code of a finished command, or 202 with nulls.
asio::awaitable<void> answer_executed(net::Exchange& exchange, std::shared_ptr<Command> command, LogFormat format);
asio::awaitable<void> answer_accepted(net::Exchange& exchange, std::shared_ptr<Command> command);

// {"id","command","exitCode"?}
void append_command(std::string& out, const Command& command);
// {"sessionId","commands"}
std::string session_json(const Session& session);

// Sends the log over the WebSocket from its begin: as it is now, or with `follow` until the command has ended. Then
// closes.
asio::awaitable<void> send_log(asio::io_context& io, std::shared_ptr<net::WebSocket> socket,
                               std::shared_ptr<Command> command, LogFormat format, bool follow);

}  // namespace sebring::toolbox
