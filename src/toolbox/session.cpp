#include "toolbox/session.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/random.h"
#include "toolbox/as_user.h"
#include "toolbox/configuration.h"
#include "toolbox/log_directory.h"
#include "toolbox/shell.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// A shell reads its script byte by byte; longer commands come from a file, which it reads in blocks.
constexpr std::size_t kInlineCommandMax = 4 * 1024;
// Looks for members of the session that outlive their shell: nothing tells us when the last one goes.
constexpr std::chrono::milliseconds kSessionLook{20};
// For a shell that does nothing else, to end by SIGTERM.
constexpr std::chrono::milliseconds kQuickEnd{50};
// Between looks at a shell that has not reported: the first is soon, a long command costs no more than the last.
constexpr std::chrono::milliseconds kFirstShellLook{200};
constexpr std::chrono::milliseconds kLastShellLook{5000};
// A stopped shell is left alone for so long: who stopped it may mean to continue it.
constexpr std::chrono::seconds kStoppedTime{30};
constexpr std::string_view kNothingRuns =
    "the session's shell reads commands but runs none any more (set -n, or a function or a disabled builtin in the "
    "way), so it was ended; create the session again";
constexpr std::string_view kReplaced =
    "the session's shell was replaced by another program (exec), which still runs; create the session again";
constexpr std::string_view kStopped =
    "the session's shell is stopped (SIGSTOP) and nobody continues it; continue it or create the session again";

Result<std::shared_ptr<OutputPipes>> make_pipes(const Context& context) {
  auto pipes = OutputPipes::make(context.io, context.log_dir, context.user);
  // Nobody has needed the directory yet, or the user has removed it.
  if (!pipes && pipes.error().os_errno() == ENOENT) {
    SB_CHECK(make_log_directory(context.log_dir, context.user.uid, context.user.gid));
    pipes = OutputPipes::make(context.io, context.log_dir, context.user);
  }
  // Whatever it is, the client asked for nothing that is missing or forbidden. A full disk is none of our errors.
  if (pipes || pipes.error().code() == Errc::exhausted || pipes.error().code() == Errc::unavailable) return pipes;
  return fail(std::move(pipes.error()).with_code(Errc::internal));
}

bool is_executable(const std::string& path) { return !path.empty() && ::access(path.c_str(), X_OK) == 0; }

}  // namespace

asio::awaitable<Result<std::shared_ptr<ShellSession>>> ShellSession::start(Context& context,
                                                                           std::shared_ptr<LogDisk> disk,
                                                                           std::string id, std::string cwd) {
  auto session = std::make_shared<ShellSession>(context, std::move(disk), std::move(id));
  session->shell_ = choose_session_shell(shell_candidates(context), is_executable);
  SB_CO_TRY(auto environment, environment_of(context));
  SB_CO_TRY(session->pipes_, make_pipes(context));
  SB_CO_TRY(Pipe input, make_input_pipe());
  SB_CO_TRY(Pipe reports, make_output_pipe());
  StartSpec spec{.candidates = {quick_form(session->shell_), session->shell_},
                 .argv = {session->shell_},
                 .environment = std::move(environment),
                 .cwd = std::move(cwd),
                 .uid = context.user.uid,
                 .gid = context.user.gid,
                 .groups = context.user.groups};
  spec.stdio[0] = input.read_end.get();
  spec.stdio[1] = reports.write_end.get();
  auto started = co_await context.spawner.start(std::move(spec));
  if (!started) {
    session->pipes_->close();
    Error error = std::move(started.error()).while_doing("start the session's shell");
    // It is no part of the request that is missing, but one of the image.
    const bool of_image = error.code() == Errc::not_found || error.code() == Errc::forbidden;
    co_return fail(of_image ? std::move(error).with_code(Errc::unprocessable) : std::move(error));
  }
  session->process_ = *std::move(started);
  session->look_ = ShellLook::at(session->process_->pid(), context.user, session->shell_, input.read_end.get());
  session->shell_input_ = std::make_shared<InputQueue>(context.io, std::move(input.write_end));
  boost::system::error_code code;
  session->reports_.assign(reports.read_end.get(), code);
  if (!code) reports.read_end.release();
  in_background(context.io, read_reports(session), "session reports");
  in_background(context.io, watch_shell(session), "session shell");
  co_return session;
}

ShellSession::ShellSession(Context& context, std::shared_ptr<LogDisk> disk, std::string id)
    : Session(std::move(id)),
      context_(context),
      disk_(std::move(disk)),
      reports_(context.io),
      ended_event_(context.io) {}

ShellSession::~ShellSession() {
  if (pipes_) pipes_->close();
}

// ---- commands

Result<std::shared_ptr<Command>> ShellSession::execute(std::string text, bool asynchronous, bool echo_input) {
  if (ended_) return fail(Errc::gone, "the shell of this session has ended", "SESSION_ENDED");
  if (running_ && shell_replaced()) {
    give_up_waiting(std::string(kReplaced));
    return fail(Errc::gone, std::string(kReplaced), "SESSION_ENDED");
  }
  if (running_ && shell_stopped()) return fail(Errc::gone, std::string(kStopped), "SESSION_ENDED");
  if (waiting_.size() >= kWaitingCommandsMax) return fail(Errc::exhausted, "too many commands wait in this session");
  if (!make_room(text.size())) {
    return fail(Errc::exhausted, "the commands of all sessions together take more than " +
                                     std::to_string(kCommandBytesMax >> 20) +
                                     " MiB; delete sessions that are no longer needed");
  }
  auto command = std::make_shared<Command>(context_.io, disk_, random_uuid(), std::move(text));
  commands_.push_back(command);
  forget_oldest();
  waiting_.push_back({.command = command, .asynchronous = asynchronous, .echo_input = echo_input});
  start_next();
  return command;
}

void ShellSession::forget_oldest() {
  while (commands_.size() > kFinishedCommandsKept + kWaitingCommandsMax && commands_.front()->exit_code()) {
    commands_.pop_front();
  }
}

// Of what this session has finished, texts go before whole commands.
bool ShellSession::make_room(std::size_t text_bytes) {
  const auto fits = [&] { return disk_->command_bytes + text_bytes + kCommandBytes <= kCommandBytesMax; };
  for (auto it = commands_.begin(); !fits() && it != commands_.end(); ++it) {
    if ((*it)->exit_code()) (*it)->shorten();
  }
  while (!fits() && !commands_.empty() && commands_.front()->exit_code()) commands_.pop_front();
  return fits();
}

void ShellSession::start_next() {
  while (!ended_ && !running_ && !waiting_.empty()) {
    running_ = std::move(waiting_.front());
    waiting_.pop_front();
    auto started = start_job(*running_);
    if (started) return look_after_job();
    auto command = running_->command;
    running_.reset();
    command->give_up(std::move(started.error()).while_doing("this command could not be started"));
  }
}

Result<void> ShellSession::start_job(Job& job) {
  if (!pipes_ || !pipes_->in_place()) {
    if (pipes_) pipes_->close();
    pipes_.reset();
    SB_TRY(pipes_, make_pipes(context_));
  }
  std::string input = "/dev/null";
  if (job.asynchronous) {
    SB_TRY(Fifo fifo, Fifo::make(context_.log_dir, context_.user, Fifo::Our::write));
    job.input = std::make_shared<InputQueue>(context_.io, std::move(fifo.fd()));
    job.input_fifo = std::make_unique<Fifo>(std::move(fifo));
    input = job.input_fifo->path();
    SB_CHECK(job.input->add(job.early_input));
  }
  if (job.command->text().size() > kInlineCommandMax) SB_CHECK(prepare_file(job));
  job.report_id = random_hex(6);
  pipes_->set_log(job.command->shared_log());
  const std::string lines = shell_lines(shell_, {.report_id = job.report_id,
                                                 .command = job.command->text(),
                                                 .file = job.file,
                                                 .input = input,
                                                 .output = pipes_->out_path(),
                                                 .errors = pipes_->err_path()});
  job.lines_bytes = lines.size();
  return shell_input_->add(lines);
}

Result<void> ShellSession::prepare_file(Job& job) {
  AsUser as_user(context_.user);
  const std::string path = context_.log_dir + "/" + random_hex(8) + ".sh";
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "write the command to a file");
  job.file = path;
  std::string_view rest = job.command->text();
  while (!rest.empty()) {
    const ssize_t done = ::write(fd.get(), rest.data(), rest.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_errno(errno, "write the command to a file");
    rest.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

void ShellSession::finish_job(int exit_code, std::optional<Error> failure) {
  Job job = std::move(*running_);
  running_.reset();
  if (job.input) job.input->close();
  if (!job.file.empty()) {
    AsUser as_user(context_.user);
    ::unlink(job.file.c_str());
  }
  auto pipes = pipes_;
  const bool free = pipes && pipes->end_command();
  if (!free) pipes_.reset();
  if (failure) {
    job.command->give_up(*std::move(failure));
  } else {
    job.command->finish(exit_code);
  }
  if (free || !pipes) {
    job.command->end_output();
  } else {
    std::erase_if(late_pipes_, [](const auto& weak) { return weak.expired(); });
    late_pipes_.push_back(pipes);
    in_background(context_.io, watch_late_output(pipes, job.command), "late session output");
  }
  start_next();
}

asio::awaitable<void> ShellSession::watch_late_output(std::shared_ptr<OutputPipes> pipes,
                                                      std::shared_ptr<Command> command) {
  while (!pipes->at_end()) co_await pipes->ended().changed(pipes->ended().version());
  command->end_output();
}

Result<void> ShellSession::send_input(Command& command, std::string data) {
  if (command.exit_code()) {
    return fail(Errc::gone, "command has already completed", "COMMAND_ALREADY_COMPLETED");
  }
  Job* job = running_ && running_->command.get() == &command ? &*running_ : nullptr;
  for (Job& waiting : waiting_) {
    if (waiting.command.get() == &command) job = &waiting;
  }
  if (job == nullptr || !job->asynchronous) {
    return fail(Errc::invalid_argument, "command takes no input: it was not started with runAsync");
  }
  if (!data.ends_with('\n')) data += '\n';
  if (job->input) {
    SB_CHECK(job->input->add(data));
  } else if (early_input_bytes() + data.size() > InputQueue::kWaitingMax) {
    return fail(Errc::exhausted, "too much input waits for commands that have not started");
  } else {
    job->early_input += data;
  }
  if (job->echo_input) command.log().add(OutputStream::out, data);
  return {};
}

std::size_t ShellSession::early_input_bytes() const {
  std::size_t bytes = 0;
  for (const Job& job : waiting_) bytes += job.early_input.size();
  return bytes;
}

asio::awaitable<void> ShellSession::input_room(std::shared_ptr<Command> command, std::size_t bytes) {
  auto input = running_ && running_->command == command ? running_->input : nullptr;
  if (input) co_await InputQueue::room(input, bytes + 1);  // and the end of the line
}

// ---- the shell

// Everything that is in the pipe. False when there will be no more.
bool ShellSession::take_reports() {
  for (;;) {
    char buffer[4096];
    const ssize_t got = ::read(reports_.native_handle(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    const std::string id = running_ ? running_->report_id : "?";
    const auto status = report_reader_.add({buffer, static_cast<std::size_t>(got)}, id);
    if (status && running_) finish_job(*status);
  }
}

asio::awaitable<void> ShellSession::read_reports(std::shared_ptr<ShellSession> self) {
  while (self->reports_.is_open()) {
    auto [code] = co_await self->reports_.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (code || !self->reports_.is_open() || !self->take_reports()) break;
  }
}

asio::awaitable<void> ShellSession::watch_shell(std::shared_ptr<ShellSession> self) {
  const ExitStatus status = co_await self->process_->wait();
  // It may have reported and ended before we looked.
  self->take_reports();
  self->ended_ = true;
  if (self->running_) {
    if (status.out_of_memory) {
      self->running_->command->log().add(OutputStream::err,
                                         "[the sandbox ran out of memory (limit " +
                                             std::to_string(status.out_of_memory->limit_bytes >> 20) +
                                             " MiB) and the session's shell was killed]\n");
    }
    self->finish_job(status.code);
  }
  self->give_up_waiting("the session's shell ended before this command could run");
  if (self->pipes_) self->pipes_->close();
  self->pipes_.reset();
  self->shell_input_->close();
  boost::system::error_code ignored;
  self->reports_.close(ignored);
  self->ended_event_.notify();
}

void ShellSession::give_up_waiting(const std::string& why) {
  while (!waiting_.empty()) {
    auto command = waiting_.front().command;
    waiting_.pop_front();
    command->give_up(Error(Errc::gone, why).tagged("SESSION_ENDED"));
  }
}

// For kStoppedTime at least, as far as was looked.
bool ShellSession::shell_stopped() {
  if (process_->ended() || !look_ || !look_->stopped()) {
    stopped_since_.reset();
    return false;
  }
  if (!stopped_since_) stopped_since_ = Steady::now();
  return Steady::now() >= *stopped_since_ + kStoppedTime;
}

void ShellSession::end_shell(std::string_view why) {
  ended_ = true;
  if (!process_->ended()) ::kill(process_->pid(), SIGKILL);
  finish_job(1, Error(Errc::gone, std::string(why)).tagged("SESSION_ENDED"));
}

bool ShellSession::shell_replaced() const { return !process_->ended() && look_ && look_->replaced(); }

void ShellSession::look_after_job() {
  if (std::exchange(watching_job_, true)) return;
  in_background(context_.io, watch_job(shared_from_this()), "session command");
}

// A shell that runs nothing any more does not run our report either, and without it every command would seem to go on
// for ever.
asio::awaitable<void> ShellSession::watch_job(std::shared_ptr<ShellSession> self) {
  asio::steady_timer timer(self->context_.io);
  auto pause = kFirstShellLook;
  std::string id;
  while (self->running_ && !self->ended_) {
    pause = id == self->running_->report_id ? std::min(pause * 2, kLastShellLook) : kFirstShellLook;
    id = self->running_->report_id;
    timer.expires_after(pause);
    co_await timer.async_wait(kToken);
    if (!self->running_ || self->running_->report_id != id || self->ended_) continue;
    if (!self->waiting_.empty() && self->shell_replaced()) self->give_up_waiting(std::string(kReplaced));
    if (self->shell_stopped()) {
      self->give_up_waiting(std::string(kStopped));
      const bool untouched = self->shell_input_->unread() == self->running_->lines_bytes;
      if (untouched) self->end_shell(kStopped);
      continue;
    }
    if (!self->look_ || self->shell_input_->unread() != std::size_t{0} || !self->look_->waits_for_input()) continue;
    // It may have reported before it went to wait.
    self->take_reports();
    if (!self->running_ || self->running_->report_id != id) continue;
    self->end_shell(kNothingRuns);
  }
  self->watching_job_ = false;
}

asio::awaitable<void> ShellSession::wait_until_ended(Steady::time_point deadline) {
  while (!ended_ && co_await ended_event_.changed(ended_event_.version(), deadline)) {
  }
}

asio::awaitable<void> ShellSession::end() {
  auto self = shared_from_this();
  const auto deadline = Steady::now() + kSessionGrace;
  const bool without_shell = ended_;
  if (!without_shell) {
    process_->signal_group(SIGTERM);
    process_->signal_group(SIGCONT);  // what is stopped takes no SIGTERM
    // Most sessions are a shell at rest, which ends at once and leaves nobody to look for.
    co_await wait_until_ended(Steady::now() + kQuickEnd);
  }
  bool alive = !ended_ || process_->session_alive();
  if (alive) {
    process_->signal_session(SIGTERM, without_shell);
    process_->signal_session(SIGCONT, without_shell);
    co_await wait_until_ended(deadline);
    alive = process_->session_alive();
  }
  auto pause = std::chrono::milliseconds(1);
  while (alive && Steady::now() < deadline) {
    asio::steady_timer timer(context_.io, pause);
    co_await timer.async_wait(kToken);
    pause = std::min(pause * 2, kSessionLook);
    alive = process_->session_alive();
  }
  if (!ended_ || alive) co_await process_->kill_tree();
  while (!ended_) co_await ended_event_.changed(ended_event_.version());
  // A daemon of the user may live on and print: we go on reading, so that it can, and keep nothing.
  for (auto& weak : late_pipes_) {
    if (auto pipes = weak.lock()) pipes->set_log(nullptr);
  }
}

}  // namespace sebring::toolbox
