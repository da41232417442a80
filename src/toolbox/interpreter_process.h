#pragma once
// One interpreter running in a process of the user's. What it says arrives as events, in order, bounded.
#include <signal.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "toolbox/context.h"
#include "toolbox/interpreter_scripts.h"
#include "toolbox/notifier.h"
#include "toolbox/utf8_pieces.h"

namespace sebring::toolbox {

struct InterpreterEvent {
  enum class Type { out, err, error, completed, interrupted } type;
  std::int64_t run = 0;  // 0: of no run in particular (what child processes print)
  std::string text;      // of out, err
  std::string name, value, traceback;
};

class InterpreterProcess : public std::enable_shared_from_this<InterpreterProcess> {
 public:
  static constexpr std::size_t kMessageBytesMax = 1 << 20;  // one line; longer ones are not of our script's making
  static constexpr std::size_t kEventBytesMax = 1 << 20;    // waiting; then the interpreter waits in its print

  // Returns when it is ready for code. Errc::unprocessable when the program is not in the image.
  static asio::awaitable<Result<std::shared_ptr<InterpreterProcess>>> start(Context& context, std::string language,
                                                                            std::string cwd);
  InterpreterProcess(Context& context);

  // Whether somebody takes the events. Output that comes while nobody does is thrown away.
  void listen(bool on);
  // Sends code; false when the process has ended.
  asio::awaitable<bool> run(std::int64_t number, std::string code,
                            std::vector<std::pair<std::string, std::string>> envs);
  std::optional<InterpreterEvent> next();
  // New events, or the end.
  Notifier& changed() { return changed_; }
  // Set after the last event has been queued.
  const std::optional<ExitStatus>& ended() const { return ended_; }
  void interrupt() { process_->signal_group(SIGINT); }
  asio::awaitable<void> kill();

 private:
  asio::awaitable<Result<void>> wait_until_ready(std::string_view needs);
  static asio::awaitable<void> read_messages(std::shared_ptr<InterpreterProcess> self);
  static asio::awaitable<void> read_raw(std::shared_ptr<InterpreterProcess> self, int index);
  static asio::awaitable<void> watch(std::shared_ptr<InterpreterProcess> self);
  bool take_messages();
  void take_line(std::string_view line);
  bool take_raw(int index, std::size_t bytes_max);
  void drain_raw();
  void push(InterpreterEvent event);
  asio::awaitable<void> room();

  std::string language_;
  std::shared_ptr<Process> process_;
  asio::posix::stream_descriptor channel_;
  asio::posix::stream_descriptor raw_[2];  // what goes past the channel: stdout, stderr
  Utf8Pieces raw_text_[2];
  std::string line_;
  bool ready_ = false;
  bool listening_ = true;
  std::deque<InterpreterEvent> events_;
  std::size_t event_bytes_ = 0;
  std::optional<ExitStatus> ended_;
  Notifier changed_;
  Notifier taken_;
};

// "exited with code 3", "was killed by signal 9", "ran out of memory (limit 512 MiB)"
std::string describe_end(const ExitStatus& status);

}  // namespace sebring::toolbox
