#include "toolbox/channel_process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox/configuration.h"
#include "toolbox/shell.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 64 * 1024;
// After the process's end: silence of this length means that only what it left behind holds its output open.
constexpr std::chrono::milliseconds kLastOutput{100};
constexpr std::chrono::seconds kLastOutputMax{2};

struct SignalName {
  std::string_view name;
  int number;
};
constexpr std::array<SignalName, 17> kSignals{{{"HUP", SIGHUP},
                                               {"INT", SIGINT},
                                               {"QUIT", SIGQUIT},
                                               {"ILL", SIGILL},
                                               {"ABRT", SIGABRT},
                                               {"FPE", SIGFPE},
                                               {"KILL", SIGKILL},
                                               {"SEGV", SIGSEGV},
                                               {"PIPE", SIGPIPE},
                                               {"ALRM", SIGALRM},
                                               {"TERM", SIGTERM},
                                               {"USR1", SIGUSR1},
                                               {"USR2", SIGUSR2},
                                               {"CONT", SIGCONT},
                                               {"STOP", SIGSTOP},
                                               {"TSTP", SIGTSTP},
                                               {"WINCH", SIGWINCH}}};

using Descriptor = asio::posix::stream_descriptor;

Result<void> adopt(Descriptor& descriptor, UniqueFd fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  boost::system::error_code code;
  descriptor.assign(fd.get(), code);
  if (code) return fail(Errc::internal, "adopt descriptor: " + code.message());
  fd.release();
  return {};
}

// Whole frames out of a stream.
class FrameReader {
 public:
  FrameReader(net::ByteStream& stream, std::string already_read) : stream_(stream), bytes_(std::move(already_read)) {}

  struct Frame {
    FrameType type;
    std::string payload;
  };
  asio::awaitable<Result<Frame>> next() {
    while (bytes_.size() < kFrameHeadBytes) SB_CO_CHECK(co_await more());
    const FrameHead head = parse_frame_head(bytes_);
    if (head.length > kFrameBytesMax) co_return fail(Errc::invalid_argument, "frame is too long");
    while (bytes_.size() < kFrameHeadBytes + head.length) SB_CO_CHECK(co_await more());
    Frame frame{head.type, bytes_.substr(kFrameHeadBytes, head.length)};
    bytes_.erase(0, kFrameHeadBytes + head.length);
    co_return frame;
  }

 private:
  asio::awaitable<Result<void>> more() {
    const std::size_t before = bytes_.size();
    bytes_.resize(before + kReadBytes);
    auto got = co_await stream_.read_some(asio::buffer(bytes_.data() + before, kReadBytes));
    bytes_.resize(before + (got ? *got : 0));
    if (!got) co_return fail(std::move(got.error()));
    if (*got == 0) co_return fail(Errc::cancelled, "client has gone");
    co_return Result<void>{};
  }
  net::ByteStream& stream_;
  std::string bytes_;
};

// Shared by the coroutines of one channel; the last of them ends it.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  Channel(Context& context, std::unique_ptr<net::ByteStream> stream, std::string already_read)
      : context_(context),
        stream_(std::move(stream)),
        frames_(*stream_, std::move(already_read)),
        input_(context.io),
        output_(context.io),
        error_output_(context.io),
        changed_(context.io) {}

  asio::awaitable<void> serve();

 private:
  asio::awaitable<Result<void>> start(ChannelRequest request);
  Result<StartSpec> make_spec(const ChannelRequest& request);
  asio::awaitable<Result<void>> start_on_terminal(StartSpec spec, PtySize size);
  asio::awaitable<Result<void>> start_on_pipes(StartSpec spec);
  asio::awaitable<void> read_client();
  asio::awaitable<void> write_input(std::string bytes);
  static asio::awaitable<void> pump(std::shared_ptr<Channel> self, Descriptor& from, FrameType type);
  asio::awaitable<void> watch_process();
  asio::awaitable<Result<void>> send(FrameType type, std::string_view payload);
  void close_all();

  Context& context_;
  std::unique_ptr<net::ByteStream> stream_;
  FrameReader frames_;
  std::shared_ptr<Process> process_;
  Descriptor input_;  // with a terminal: a duplicate of output_
  Descriptor output_;
  Descriptor error_output_;
  bool on_terminal_ = false;
  bool sending_ = false;
  int pumping_ = 0;
  Steady::time_point last_output_{};
  Notifier changed_;
};

asio::awaitable<Result<void>> Channel::send(FrameType type, std::string_view payload) {
  while (sending_) co_await changed_.changed(changed_.version());
  sending_ = true;
  const std::string head = frame_head(type, payload.size());
  auto sent = payload.empty() ? co_await stream_->write(asio::buffer(head))
                              : co_await stream_->write2(asio::buffer(head), asio::buffer(payload));
  sending_ = false;
  changed_.notify();
  co_return sent;
}

Result<StartSpec> Channel::make_spec(const ChannelRequest& request) {
  auto extra = request.environment;
  if (request.pty) extra.insert(extra.begin(), {"TERM", request.term.empty() ? "xterm-256color" : request.term});
  SB_TRY(auto environment, environment_of(context_, extra));
  StartSpec spec{.environment = std::move(environment),
                 .cwd = context_.user.home,
                 .uid = context_.user.uid,
                 .gid = context_.user.gid,
                 .groups = context_.user.groups};
  if (request.sftp) {
    spec.executable = context_.self_executable.get();
    spec.argv = {"sebring-toolbox", "sftp"};
    return spec;
  }
  // A login's shell is the user's own; what it lacks, the image's usual one.
  if (context_.user.shell.starts_with('/')) spec.candidates.push_back(context_.user.shell);
  for (std::string& path : shell_candidates(context_)) spec.candidates.push_back(std::move(path));
  std::string shell = "/bin/sh";
  for (const std::string& path : spec.candidates) {
    if (::access(path.c_str(), X_OK) == 0) {
      shell = path;
      break;
    }
  }
  spec.candidates = {shell};
  const std::string name = shell.substr(shell.find_last_of('/') + 1);
  if (request.command.empty()) {
    spec.argv = {"-" + name};
  } else {
    spec.argv = {name, "-c", request.command};
  }
  return spec;
}

asio::awaitable<Result<void>> Channel::start_on_terminal(StartSpec spec, PtySize size) {
  SB_CO_TRY(PtyDevice device, open_pty(context_.devpts.get(), size, context_.user.uid));
  for (int& fd : spec.stdio) fd = device.terminal.get();
  spec.controlling_tty = true;
  SB_CO_TRY(process_, co_await context_.spawner.start(std::move(spec)));
  on_terminal_ = true;
  UniqueFd second(::fcntl(device.controller.get(), F_DUPFD_CLOEXEC, 0));
  if (!second) co_return fail_errno(errno, "duplicate the terminal");
  SB_CO_CHECK(adopt(input_, std::move(second)));
  co_return adopt(output_, std::move(device.controller));
}

asio::awaitable<Result<void>> Channel::start_on_pipes(StartSpec spec) {
  SB_CO_TRY(Pipe input, make_input_pipe());
  SB_CO_TRY(Pipe output, make_output_pipe());
  SB_CO_TRY(Pipe error_output, make_output_pipe());
  spec.stdio[0] = input.read_end.get();
  spec.stdio[1] = output.write_end.get();
  spec.stdio[2] = error_output.write_end.get();
  SB_CO_TRY(process_, co_await context_.spawner.start(std::move(spec)));
  SB_CO_CHECK(adopt(input_, std::move(input.write_end)));
  SB_CO_CHECK(adopt(output_, std::move(output.read_end)));
  co_return adopt(error_output_, std::move(error_output.read_end));
}

asio::awaitable<Result<void>> Channel::start(ChannelRequest request) {
  SB_CO_TRY(StartSpec spec, make_spec(request));
  const std::string home = spec.cwd;
  for (const std::string& place : {home, std::string("/")}) {  // a home that is missing is no reason to stay out
    StartSpec copy = spec;
    copy.cwd = place;
    auto started = request.pty ? co_await start_on_terminal(std::move(copy), request.size)
                               : co_await start_on_pipes(std::move(copy));
    if (started || place == "/" || ::access(home.c_str(), F_OK) == 0) co_return started;
  }
  co_return fail(Errc::internal, "not reached");
}

// One buffer's worth at a time: a client that does not read stops the process, not this daemon's memory.
asio::awaitable<void> Channel::pump(std::shared_ptr<Channel> self, Descriptor& from, FrameType type) {
  std::unique_ptr<char[]> memory;
  for (;;) {
    auto [code] = co_await from.async_wait(Descriptor::wait_read, kToken);
    if (code) break;
    if (!memory) memory = std::make_unique_for_overwrite<char[]>(kReadBytes);
    const ssize_t got = ::read(from.native_handle(), memory.get(), kReadBytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) break;  // EIO: nobody has the terminal any more
    self->last_output_ = Steady::now();
    if (!co_await self->send(type, {memory.get(), static_cast<std::size_t>(got)})) break;
    if (static_cast<std::size_t>(got) < kReadBytes / 4) memory.reset();
  }
  --self->pumping_;
  self->changed_.notify();
}

asio::awaitable<void> Channel::write_input(std::string bytes) {
  std::string_view rest = bytes;
  while (!rest.empty() && input_.is_open()) {
    const ssize_t put = ::write(input_.native_handle(), rest.data(), rest.size());
    if (put > 0) {
      rest.remove_prefix(static_cast<std::size_t>(put));
    } else if (put < 0 && errno == EAGAIN) {
      auto [code] = co_await input_.async_wait(Descriptor::wait_write, kToken);
      if (code) co_return;
    } else if (errno != EINTR) {
      boost::system::error_code ignored;
      if (!on_terminal_) input_.close(ignored);  // nobody reads it any more
      co_return;
    }
  }
}

// Returns when the client has gone.
asio::awaitable<void> Channel::read_client() {
  for (;;) {
    auto frame = co_await frames_.next();
    if (!frame) co_return;
    switch (frame->type) {
      case FrameType::input:
        co_await write_input(std::move(frame->payload));
        break;
      case FrameType::end:
        if (on_terminal_) {
          co_await write_input("\x04");
        } else {
          boost::system::error_code ignored;
          input_.close(ignored);
        }
        break;
      case FrameType::window: {
        const auto parts = split(frame->payload, ' ');
        const auto cols = parse_integer(parts[0]);
        const auto rows = parse_integer(parts.back());
        if (on_terminal_ && output_.is_open() && cols && rows && *cols > 0 && *rows > 0 && *cols <= 65535 &&
            *rows <= 65535) {
          (void)resize_pty(output_.native_handle(),
                           {.cols = static_cast<unsigned short>(*cols), .rows = static_cast<unsigned short>(*rows)});
        }
        break;
      }
      case FrameType::signal:
        if (const int number = signal_number(frame->payload); number != 0) process_->signal_group(number);
        break;
      default:
        co_return;
    }
  }
}

// Returns when the process has ended and all was sent.
asio::awaitable<void> Channel::watch_process() {
  const ExitStatus status = co_await process_->wait();
  const auto ended_at = Steady::now();
  while (pumping_ > 0) {
    const std::uint64_t seen = changed_.version();
    const auto deadline = std::min(std::max(ended_at, last_output_) + kLastOutput, ended_at + kLastOutputMax);
    if (!sending_ && Steady::now() >= deadline) break;
    co_await changed_.changed(seen, sending_ ? Steady::time_point::max() : deadline);
  }
  boost::json::object end{{"code", status.code}};
  if (status.signal != 0) end["signal"] = signal_name(status.signal);
  if (status.out_of_memory) {
    const std::string text = "[the sandbox ran out of memory (limit " +
                             std::to_string(status.out_of_memory->limit_bytes >> 20) + " MiB)]\r\n";
    (void)co_await send(on_terminal_ ? FrameType::output : FrameType::error_output, text);
  }
  (void)co_await send(FrameType::ended, json::serialize(end));
}

void Channel::close_all() {
  boost::system::error_code ignored;
  for (Descriptor* descriptor : {&input_, &output_, &error_output_}) {
    if (descriptor->is_open()) descriptor->close(ignored);
  }
  if (process_ && !process_->ended()) process_->signal_group(SIGHUP);
  stream_->close();
}

asio::awaitable<void> Channel::serve() {
  using asio::experimental::awaitable_operators::operator||;
  auto self = shared_from_this();
  auto first = co_await frames_.next();
  if (!first || first->type != FrameType::run) co_return close_all();
  auto request = parse_channel_request(first->payload);
  auto started = request ? co_await start(*std::move(request)) : Result<void>(fail(std::move(request.error())));
  if (!started) {
    (void)co_await send(FrameType::failed, started.error().message());
    co_return close_all();
  }
  (void)co_await send(FrameType::started, {});
  pumping_ = on_terminal_ ? 1 : 2;
  in_background(context_.io, pump(self, output_, FrameType::output), "channel output");
  if (!on_terminal_) in_background(context_.io, pump(self, error_output_, FrameType::error_output), "channel errors");
  co_await (watch_process() || read_client());
  close_all();
}

}  // namespace

int signal_number(std::string_view name) {
  for (const SignalName& signal : kSignals) {
    if (signal.name == name) return signal.number;
  }
  return 0;
}

std::string_view signal_name(int number) {
  for (const SignalName& signal : kSignals) {
    if (signal.number == number) return signal.name;
  }
  return "";
}

Result<ChannelRequest> parse_channel_request(std::string_view text) {
  SB_TRY(const auto object, json::parse_object(text));
  json::ObjectReader reader(object);
  ChannelRequest request;
  request.command = reader.text("command").value_or("");
  if (request.command.find('\0') != std::string::npos) reader.error("command holds a NUL");
  if (auto subsystem = reader.text("subsystem")) {
    request.sftp = *subsystem == "sftp";
    if (!request.sftp) reader.error("unknown subsystem");
  }
  if (const auto* pty = reader.object("pty")) {
    json::ObjectReader inner(*pty, "pty.");
    request.pty = true;
    request.term = inner.text("term").value_or("");
    request.size.cols = static_cast<unsigned short>(inner.integer("cols", 0, 65535).value_or(80));
    request.size.rows = static_cast<unsigned short>(inner.integer("rows", 0, 65535).value_or(24));
    SB_CHECK(inner.finish());
  }
  request.environment = reader.text_map("env").value_or(decltype(request.environment)());
  SB_CHECK(reader.finish());
  for (const auto& [name, value] : request.environment) {
    if (!is_environment_name(name) || value.find('\0') != std::string::npos) {
      return fail(Errc::invalid_argument, "invalid environment variable name: '" + name + "'");
    }
  }
  return request;
}

asio::awaitable<void> serve_channel(Context& context, std::unique_ptr<net::ByteStream> stream,
                                    std::string already_read) {
  auto channel = std::make_shared<Channel>(context, std::move(stream), std::move(already_read));
  co_await channel->serve();
}

}  // namespace sebring::toolbox
