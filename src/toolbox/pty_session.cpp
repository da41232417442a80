#include "toolbox/pty_session.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "toolbox/configuration.h"
#include "toolbox/error_body.h"
#include "toolbox/shell.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 32 * 1024;
constexpr int kReadsPerTurn = 8;
constexpr std::size_t kFrameBytes = 64 * 1024;
// After the shell's end: silence of this length means that only what it left behind keeps the terminal open.
constexpr std::chrono::milliseconds kLastOutput{50};
constexpr std::chrono::seconds kLastOutputMax{2};  // for what never is silent
// For a client that does not read, to take what is on its way and the close frame.
constexpr std::chrono::seconds kGoodbye{60};

std::string first_shell(const Context& context) {
  for (const std::string& path : shell_candidates(context)) {
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "/bin/sh";
}

}  // namespace

PtySession::PtySession(Context& context, PtySettings settings)
    : context_(context),
      settings_(std::move(settings)),
      created_at_(system_clock().wall_ms()),
      controller_(context.io),
      start_event_(context.io),
      exit_event_(context.io),
      input_event_(context.io),
      drained_(context.io) {}

std::string PtySession::info() const {
  std::string out = "{\"id\":";
  append_json_string(out, settings_.id);
  out += ",\"cwd\":";
  append_json_string(out, settings_.cwd);
  out += ",\"envs\":{";
  for (std::size_t i = 0; i < settings_.envs.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, settings_.envs[i].first);
    out += ':';
    append_json_string(out, settings_.envs[i].second);
  }
  out += "},\"cols\":" + std::to_string(settings_.size.cols) + ",\"rows\":" + std::to_string(settings_.size.rows);
  out += ",\"createdAt\":\"" + iso8601(created_at_) + "\"";
  out += ",\"active\":" + std::string(process_ && !ended() ? "true" : "false");
  out += ",\"lazyStart\":" + std::string(settings_.lazy_start ? "true" : "false") + "}";
  return out;
}

// ---- the shell

asio::awaitable<Result<void>> PtySession::start() {
  auto self = shared_from_this();
  while (started_ == Start::starting) co_await start_event_.changed(start_event_.version());
  if (ended()) co_return fail(Errc::gone, "PTY session has ended", "SESSION_ENDED");
  if (started_ == Start::done) co_return Result<void>{};
  started_ = Start::starting;
  auto result = co_await start_shell();
  started_ = result ? Start::done : Start::not_yet;
  start_event_.notify();
  if (result && killed_) co_await process_->kill_tree();  // deleted while it started
  co_return result;
}

asio::awaitable<Result<void>> PtySession::start_shell() {
  SB_CO_TRY(PtyDevice device, open_pty(context_.devpts.get(), settings_.size, context_.user.uid));
  auto extra = settings_.envs;
  extra.insert(extra.begin(), {"TERM", "xterm-256color"});
  SB_CO_TRY(auto environment, environment_of(context_, extra));
  const std::string shell = first_shell(context_);
  StartSpec spec{.candidates = {shell},
                 .argv = {shell, "-i", "-l"},
                 .environment = std::move(environment),
                 .cwd = settings_.cwd,
                 .uid = context_.user.uid,
                 .gid = context_.user.gid,
                 .groups = context_.user.groups,
                 .controlling_tty = true};
  for (int& fd : spec.stdio) fd = device.terminal.get();
  auto process = co_await context_.spawner.start(std::move(spec));
  if (!process) {
    const bool place = process.error().code() == Errc::not_found || process.error().code() == Errc::forbidden ||
                       process.error().os_errno() == ENOTDIR;
    Error error = std::move(process.error()).while_doing("start PTY shell");
    co_return fail(place ? std::move(error).with_code(Errc::invalid_argument) : std::move(error));
  }
  process_ = *std::move(process);
  boost::system::error_code code;
  controller_.assign(device.controller.get(), code);
  if (!code) device.controller.release();
  // It may have been resized meanwhile.
  if (auto resized = resize_pty(controller_.native_handle(), settings_.size); !resized) co_return resized;
  in_background(context_.io, read_output(shared_from_this()), "pty output");
  in_background(context_.io, watch_shell(shared_from_this()), "pty shell");
  co_return Result<void>{};
}

Result<void> PtySession::resize(PtySize size) {
  if (ended()) return fail(Errc::gone, "PTY session has ended", "SESSION_ENDED");
  settings_.size = size;
  if (controller_.is_open()) return resize_pty(controller_.native_handle(), size);
  return {};
}

asio::awaitable<void> PtySession::kill() {
  auto self = shared_from_this();
  killed_ = true;
  if (!process_) {  // never started, or about to: start() looks at killed_
    if (started_ == Start::not_yet) finish({.code = 137, .signal = SIGKILL, .out_of_memory = {}});
    co_return;
  }
  if (!exit_) co_await process_->kill_tree();
  killed_all_ = true;
  exit_event_.notify();
  while (!exit_) co_await exit_event_.changed(exit_event_.version());
}

// The kernel may still be moving the shell's last output, and a client may be slow to take it.
asio::awaitable<void> PtySession::watch_shell(std::shared_ptr<PtySession> self) {
  const ExitStatus status = co_await self->process_->wait();
  const auto ended_at = Steady::now();
  // Who deletes a terminal is not kept by clients that do not read.
  while (!self->output_ended_ && !(self->killed_all_ && self->throttled_)) {
    const std::uint64_t seen = self->exit_event_.version();
    const auto deadline = std::min(std::max(ended_at, self->last_output_) + kLastOutput, ended_at + kLastOutputMax);
    if (!self->throttled_ && Steady::now() >= deadline) break;
    co_await self->exit_event_.changed(seen, self->throttled_ ? Steady::time_point::max() : deadline);
  }
  if (status.out_of_memory) {
    self->show("\r\n[the sandbox ran out of memory (limit " + std::to_string(status.out_of_memory->limit_bytes >> 20) +
               " MiB)]\r\n");
  }
  self->finish(status);
}

void PtySession::finish(ExitStatus status) {
  exit_ = status;
  boost::system::error_code ignored;
  if (controller_.is_open()) controller_.close(ignored);  // hangs up what is left in the terminal
  exit_event_.notify();
  input_event_.notify();
  drained_.notify();
  for (const ClientPtr& client : clients_) {
    client->changed.notify();
    in_background(context_.io, abort_later(client), "pty client");
  }
}

asio::awaitable<void> PtySession::abort_later(ClientPtr client) {
  const auto deadline = Steady::now() + kGoodbye;
  while (!client->closed && co_await client->changed.changed(client->changed.version(), deadline)) {
  }
  if (!client->closed) client->socket->abort();
}

// ---- output

void PtySession::show(std::string_view bytes) {
  last_output_ = Steady::now();
  backlog_.add(bytes);
  for (const ClientPtr& client : clients_) {
    if (client->gone || client->slow) continue;
    client->queue += bytes;
    client->changed.notify();
  }
}

asio::awaitable<void> PtySession::read_output(std::shared_ptr<PtySession> self) {
  bool open = true;
  while (open && self->controller_.is_open()) {
    auto [code] = co_await self->controller_.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (code) break;
    for (int i = 0; open && i < kReadsPerTurn && self->controller_.is_open(); ++i) {
      char buffer[kReadBytes];
      const ssize_t got = ::read(self->controller_.native_handle(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got > 0) {
        self->show({buffer, static_cast<std::size_t>(got)});
      } else {
        open = false;  // EIO: nobody has the terminal any more
      }
    }
    self->throttled_ = true;
    co_await self->wait_for_slow_clients();
    self->throttled_ = false;
    self->exit_event_.notify();
  }
  self->output_ended_ = true;
  self->exit_event_.notify();
}

// The terminal goes on when every client has room again or is given up.
asio::awaitable<void> PtySession::wait_for_slow_clients() {
  for (;;) {
    ClientPtr slowest;
    for (const ClientPtr& client : clients_) {
      if (client->gone || client->slow || client->queue.size() <= kPtyQueueBytesMax) continue;
      if (!slowest || client->queue.size() > slowest->queue.size()) slowest = client;
    }
    if (!slowest || exit_) co_return;
    const auto deadline = Steady::now() + (clients_.size() > 1 ? kPtyStallAmongOthers : kPtyStallAlone);
    const std::size_t before = slowest->queue.size();
    while (!slowest->gone && !exit_ && slowest->queue.size() == before &&
           co_await drained_.changed(drained_.version(), deadline)) {
    }
    if (!slowest->gone && !exit_ && slowest->queue.size() == before) {
      slowest->slow = true;
      slowest->queue.clear();
      slowest->changed.notify();
      in_background(context_.io, abort_later(slowest), "pty client");
    }
  }
}

asio::awaitable<void> PtySession::write_client(std::shared_ptr<PtySession> self, ClientPtr client) {
  net::WebSocket& socket = *client->socket;
  for (;;) {
    const std::uint64_t seen = client->changed.version();
    if (client->gone || client->slow) break;
    if (!client->queue.empty()) {
      std::string piece;
      if (client->queue.size() <= kFrameBytes) {
        piece = std::move(client->queue);
        client->queue.clear();
      } else {
        piece = client->queue.substr(0, kFrameBytes);
        client->queue.erase(0, kFrameBytes);
      }
      self->drained_.notify();
      if (!co_await socket.send_binary(piece)) client->gone = true;
      continue;
    }
    if (self->exit_) break;
    co_await client->changed.changed(seen);
  }
  if (client->gone) {
    socket.abort();
  } else if (client->slow) {
    co_await socket.close(1008, "slow consumer");
  } else {
    const int code = self->exit_->code;
    if (client->exit_control) co_await socket.send_text(pty_exited_message(code));
    co_await socket.close(code == 0 ? 1000 : 1011, pty_close_reason(code));
  }
  client->closed = true;
  client->changed.notify();
  self->drained_.notify();
}

// ---- clients

asio::awaitable<void> PtySession::attach(std::shared_ptr<net::WebSocket> socket, bool exit_control) {
  auto self = shared_from_this();
  if (auto started = co_await start(); !started) {
    co_await socket->send_text(pty_error_message(started.error().message()));
    co_await socket->close(1011, "");
    co_return;
  }
  if (clients_.size() >= kPtyClientsMax) {
    co_await socket->send_text(pty_error_message("too many clients are connected"));
    co_await socket->close(1013, "");
    co_return;
  }
  auto client = std::make_shared<Client>(context_.io, socket);
  client->exit_control = exit_control;
  client->queue = backlog_.replay();
  clients_.push_back(client);
  // Nothing else writes to the socket yet; what is shown meanwhile waits in the queue.
  if (!co_await socket->send_text("{\"type\":\"control\",\"status\":\"connected\"}")) client->gone = true;
  in_background(context_.io, write_client(self, client), "pty client");
  while (!client->gone) {
    auto message = co_await socket->read();
    if (!message || !*message) break;
    if (!exit_) co_await take_input(std::move((*message)->data));
  }
  client->gone = true;
  client->changed.notify();
  drained_.notify();
  while (!client->closed) co_await client->changed.changed(client->changed.version());
  clients_.remove(client);
}

// A program that does not read must not keep us from reading: the client's pings want answers, and its leaving is told
// there. Only when much waits do clients wait with it.
asio::awaitable<void> PtySession::take_input(std::string bytes) {
  input_ += bytes;
  if (!writing_input_) write_input();
  if (!input_.empty() && !std::exchange(writing_input_, true)) {
    in_background(context_.io, write_rest(shared_from_this()), "pty input");
  }
  while (input_.size() > kPtyInputWaitingMax && !exit_) co_await input_event_.changed(input_event_.version());
}

// What the terminal has room for.
void PtySession::write_input() {
  std::string_view rest = input_;
  while (!rest.empty() && controller_.is_open()) {
    const ssize_t done = ::write(controller_.native_handle(), rest.data(), std::min(rest.size(), kPtyInputBytesMax));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) break;
    if (done < 0) rest = {};  // the terminal has ended
    rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
  }
  input_.erase(0, input_.size() - rest.size());
}

asio::awaitable<void> PtySession::write_rest(std::shared_ptr<PtySession> self) {
  while (!self->input_.empty() && self->controller_.is_open()) {
    auto [code] = co_await self->controller_.async_wait(asio::posix::stream_descriptor::wait_write, kToken);
    if (code) break;
    self->write_input();
    self->input_event_.notify();
  }
  self->input_.clear();
  self->writing_input_ = false;
  self->input_event_.notify();
}

}  // namespace sebring::toolbox
