#pragma once
// Sessions: commands with logs, run one after the other by one long-lived shell (session_shell.cpp has the dialect,
// session_pipes.h the plumbing). The reserved session of the image's entrypoint has one command and no shell.
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "toolbox/context.h"
#include "toolbox/notifier.h"
#include "toolbox/session_log.h"
#include "toolbox/session_pipes.h"
#include "toolbox/session_shell.h"
#include "toolbox/shell_look.h"

namespace sebring::toolbox {

inline constexpr std::size_t kWaitingCommandsMax = 1000;      // of one session
inline constexpr std::size_t kFinishedCommandsKept = 10'000;  // of one session; the oldest are forgotten
inline constexpr std::size_t kCommandBytesMax = 64 << 20;     // of all sessions: texts, and kCommandBytes for each
inline constexpr std::size_t kCommandBytes = 1024;
inline constexpr std::chrono::seconds kSessionGrace{5};  // between SIGTERM and SIGKILL

class Command {
 public:
  Command(asio::io_context& io, std::shared_ptr<LogDisk> disk, std::string id, std::string text)
      : id_(std::move(id)),
        text_(std::move(text)),
        disk_(disk),
        log_(std::make_shared<SessionLog>(io, std::move(disk))) {
    disk_->command_bytes += bytes();
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command() { disk_->command_bytes -= bytes(); }

  const std::string& id() const { return id_; }
  const std::string& text() const { return text_; }
  SessionLog& log() { return *log_; }
  const std::shared_ptr<SessionLog>& shared_log() const { return log_; }
  // The exit code, or 128 + signal. Empty while it waits or runs. log().grown() is notified of the change too.
  std::optional<int> exit_code() const { return exit_code_; }
  Steady::time_point finished_at() const { return finished_at_; }
  // Nothing more will come: finished, and nothing that it left behind holds its output.
  bool output_ended() const { return output_ended_; }
  // Why it never ran; it has an exit code all the same, for those who did not wait.
  const std::optional<Error>& failure() const { return failure_; }

  void finish(int exit_code);
  void end_output();
  void give_up(Error why);
  // Keeps the begin of a long text only.
  void shorten();

 private:
  std::size_t bytes() const { return text_.size() + kCommandBytes; }

  std::string id_;
  std::string text_;
  std::shared_ptr<LogDisk> disk_;
  std::shared_ptr<SessionLog> log_;
  std::optional<int> exit_code_;
  Steady::time_point finished_at_;
  bool output_ended_ = false;
  std::optional<Error> failure_;
};

class Session {
 public:
  explicit Session(std::string id) : id_(std::move(id)) {}
  virtual ~Session() = default;
  const std::string& id() const { return id_; }
  const std::deque<std::shared_ptr<Command>>& commands() const { return commands_; }
  // Errc::not_found.
  Result<std::shared_ptr<Command>> find(std::string_view command_id) const;
  // A line for a running command's standard input. Errc::gone tagged COMMAND_ALREADY_COMPLETED, or
  // Errc::invalid_argument when the command was started without input.
  virtual Result<void> send_input(Command& command, std::string data) = 0;
  // Waits while the command reads and send_input() would be refused for want of room.
  virtual asio::awaitable<void> input_room(std::shared_ptr<Command>, std::size_t) { co_return; }

 protected:
  std::string id_;
  std::deque<std::shared_ptr<Command>> commands_;
};

class ShellSession final : public Session, public std::enable_shared_from_this<ShellSession> {
 public:
  static asio::awaitable<Result<std::shared_ptr<ShellSession>>> start(Context& context, std::shared_ptr<LogDisk> disk,
                                                                      std::string id, std::string cwd);
  ShellSession(Context& context, std::shared_ptr<LogDisk> disk, std::string id);
  ~ShellSession() override;

  // Queues a command. With `asynchronous` its standard input stays open for send_input(), else it is at its end.
  // Errc::gone tagged SESSION_ENDED when the shell has ended or was replaced by another program that still runs,
  // Errc::exhausted when too many wait, or those of all sessions take too much memory.
  Result<std::shared_ptr<Command>> execute(std::string text, bool asynchronous, bool echo_input);
  Result<void> send_input(Command& command, std::string data) override;
  asio::awaitable<void> input_room(std::shared_ptr<Command> command, std::size_t bytes) override;
  // SIGTERM to all of it, SIGKILL to what is left after the grace. Returns when all of it is gone.
  asio::awaitable<void> end();
  bool ended() const { return ended_; }

 private:
  struct Job {
    std::shared_ptr<Command> command;
    bool asynchronous = false;
    bool echo_input = true;
    std::string report_id;
    std::string early_input;  // sent before its turn
    std::unique_ptr<Fifo> input_fifo;
    std::shared_ptr<InputQueue> input;
    std::string file;             // a long command's text
    std::size_t lines_bytes = 0;  // what the shell is told
  };
  static asio::awaitable<void> read_reports(std::shared_ptr<ShellSession> self);
  static asio::awaitable<void> watch_shell(std::shared_ptr<ShellSession> self);
  static asio::awaitable<void> watch_job(std::shared_ptr<ShellSession> self);
  static asio::awaitable<void> watch_late_output(std::shared_ptr<OutputPipes> pipes, std::shared_ptr<Command> command);
  bool take_reports();
  void start_next();
  Result<void> start_job(Job& job);
  Result<void> prepare_file(Job& job);
  void finish_job(int exit_code, std::optional<Error> failure = std::nullopt);
  void look_after_job();
  bool shell_replaced() const;
  bool shell_stopped();
  void end_shell(std::string_view why);
  void give_up_waiting(const std::string& why);
  asio::awaitable<void> wait_until_ended(Steady::time_point deadline);
  void forget_oldest();
  bool make_room(std::size_t text_bytes);
  std::size_t early_input_bytes() const;

  Context& context_;
  std::shared_ptr<LogDisk> disk_;
  std::string shell_;
  std::shared_ptr<Process> process_;
  std::optional<ShellLook> look_;
  std::shared_ptr<InputQueue> shell_input_;
  asio::posix::stream_descriptor reports_;
  ReportReader report_reader_;
  std::shared_ptr<OutputPipes> pipes_;
  std::vector<std::weak_ptr<OutputPipes>> late_pipes_;  // still held by what a finished command left behind
  std::deque<Job> waiting_;
  std::optional<Job> running_;
  bool watching_job_ = false;
  std::optional<Steady::time_point> stopped_since_;
  bool ended_ = false;
  Notifier ended_event_;
};

// Runs the image's ENTRYPOINT and CMD, once.
class EntrypointSession final : public Session, public std::enable_shared_from_this<EntrypointSession> {
 public:
  static constexpr std::string_view kId = "entrypoint";
  static constexpr std::string_view kCommandId = "entrypoint_command";
  EntrypointSession(Context& context, std::shared_ptr<LogDisk> disk);
  // The second time and later it does nothing.
  void start();
  Result<void> send_input(Command& command, std::string data) override;

 private:
  static asio::awaitable<void> run(std::shared_ptr<EntrypointSession> self);
  static asio::awaitable<void> read_output(std::shared_ptr<EntrypointSession> self, UniqueFd fd, OutputStream stream);
  asio::awaitable<Result<std::shared_ptr<Process>>> start_process(UniqueFd& out, UniqueFd& err);

  Context& context_;
  bool started_ = false;
  int open_outputs_ = 2;
};

}  // namespace sebring::toolbox
