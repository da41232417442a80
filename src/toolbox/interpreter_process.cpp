#include "toolbox/interpreter_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>

#include "json/json.h"
#include "toolbox/configuration.h"
#include "toolbox/error_body.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 32 * 1024;
// A cold start from a slow disk, with a site full of packages.
constexpr std::chrono::seconds kStartTime{30};
constexpr int kShellNotFound = 127;

struct ChannelPair {
  UniqueFd ours;
  UniqueFd theirs;
};

// Theirs blocks: a print then waits until we have taken what was printed before.
Result<ChannelPair> make_channel(std::string_view script) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno(errno, "make a socket pair");
  ChannelPair pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (::send(pair.ours.get(), script.data(), script.size(), MSG_DONTWAIT | MSG_NOSIGNAL) !=
      static_cast<ssize_t>(script.size())) {
    return fail_errno(errno, "send the interpreter's script");
  }
  ::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK);
  return pair;
}

void adopt(asio::posix::stream_descriptor& descriptor, UniqueFd& fd) {
  boost::system::error_code code;
  descriptor.assign(fd.get(), code);
  if (!code) fd.release();
}

std::string text_of(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::string describe_end(const ExitStatus& status) {
  if (status.out_of_memory) {
    return "ran out of memory (limit " + std::to_string(status.out_of_memory->limit_bytes >> 20) + " MiB)";
  }
  if (status.signal == 0) return "exited with code " + std::to_string(status.code);
  const char* name = ::sigabbrev_np(status.signal);
  return "was killed by signal " + std::to_string(status.signal) + (name ? " (SIG" + std::string(name) + ")" : "");
}

InterpreterProcess::InterpreterProcess(Context& context)
    : channel_(context.io),
      raw_{asio::posix::stream_descriptor(context.io), asio::posix::stream_descriptor(context.io)},
      changed_(context.io),
      taken_(context.io) {}

// ---- life

asio::awaitable<Result<std::shared_ptr<InterpreterProcess>>> InterpreterProcess::start(Context& context,
                                                                                       std::string language,
                                                                                       std::string cwd) {
  auto self = std::make_shared<InterpreterProcess>(context);
  self->language_ = language;
  const InterpreterProgram program = interpreter_program(language);
  SB_CO_TRY(ChannelPair channel, make_channel(program.script));
  SB_CO_TRY(Pipe out, make_output_pipe());
  SB_CO_TRY(Pipe err, make_output_pipe());
  SB_CO_TRY(auto environment, environment_of(context));
  StartSpec spec{.argv = program.argv,
                 .environment = std::move(environment),
                 .cwd = std::move(cwd),
                 .uid = context.user.uid,
                 .gid = context.user.gid,
                 .groups = context.user.groups};
  spec.stdio[0] = channel.theirs.get();
  spec.stdio[1] = out.write_end.get();
  spec.stdio[2] = err.write_end.get();
  auto process = co_await context.spawner.start(std::move(spec));
  if (!process) co_return fail(std::move(process.error()).while_doing("start " + std::string(program.needs)));
  self->process_ = *std::move(process);
  adopt(self->channel_, channel.ours);
  adopt(self->raw_[0], out.read_end);
  adopt(self->raw_[1], err.read_end);
  in_background(context.io, read_messages(self), "interpreter messages");
  for (int index : {0, 1}) in_background(context.io, read_raw(self, index), "interpreter output");
  in_background(context.io, watch(self), "interpreter");
  channel.theirs.reset();
  SB_CO_CHECK(co_await self->wait_until_ready(program.needs));
  self->listen(false);
  co_return self;
}

asio::awaitable<Result<void>> InterpreterProcess::wait_until_ready(std::string_view needs) {
  const auto deadline = Steady::now() + kStartTime;
  while (!ready_ && !ended_ && co_await changed_.changed(changed_.version(), deadline)) {
  }
  if (ready_) co_return Result<void>{};
  if (!ended_) {
    co_await process_->kill_tree();
    co_return fail(Errc::timed_out, std::string(needs) + " was not ready in time");
  }
  if (ended_->code == kShellNotFound) {
    co_return fail(Errc::unprocessable, std::string(needs) + " is not installed in this sandbox");
  }
  std::string said;
  for (const InterpreterEvent& event : events_) said += event.text;
  if (said.size() > 2000) said.erase(0, said.size() - 2000);
  co_return fail(Errc::internal, std::string(needs) + " " + describe_end(*ended_) + " at its start: " + said);
}

asio::awaitable<void> InterpreterProcess::watch(std::shared_ptr<InterpreterProcess> self) {
  const ExitStatus status = co_await self->process_->wait();
  while (self->take_messages()) co_await self->room();
  self->drain_raw();
  self->ended_ = status;
  self->listening_ = false;  // what it left behind may print; the events until here can still be taken
  boost::system::error_code ignored;
  self->channel_.close(ignored);
  self->changed_.notify();
}

asio::awaitable<void> InterpreterProcess::kill() {
  auto self = shared_from_this();
  if (ended_) co_return;
  co_await process_->kill_tree();
  listen(false);  // what it said holds room that nobody will make
  while (!ended_) co_await changed_.changed(changed_.version());
}

asio::awaitable<bool> InterpreterProcess::run(std::int64_t number, std::string code,
                                              std::vector<std::pair<std::string, std::string>> envs) {
  auto self = shared_from_this();
  std::string line = "{\"run\":" + std::to_string(number) + ",\"language\":\"" + language_ + "\",\"code\":";
  append_json_string(line, code);
  line += ",\"envs\":{";
  for (std::size_t i = 0; i < envs.size(); ++i) {
    if (i > 0) line += ',';
    append_json_string(line, envs[i].first);
    line += ':';
    append_json_string(line, envs[i].second);
  }
  line += "}}\n";
  if (!channel_.is_open()) co_return false;
  auto [error, bytes] = co_await asio::async_write(channel_, asio::buffer(line), kToken);
  co_return !error;
}

// ---- events

void InterpreterProcess::listen(bool on) {
  listening_ = on;
  events_.clear();
  event_bytes_ = 0;
  taken_.notify();
}

void InterpreterProcess::push(InterpreterEvent event) {
  if (!listening_) return;
  event_bytes_ += event.text.size() + event.traceback.size() + sizeof event;
  events_.push_back(std::move(event));
  changed_.notify();
}

std::optional<InterpreterEvent> InterpreterProcess::next() {
  if (events_.empty()) return std::nullopt;
  InterpreterEvent event = std::move(events_.front());
  events_.pop_front();
  event_bytes_ -= std::min(event_bytes_, event.text.size() + event.traceback.size() + sizeof event);
  taken_.notify();
  return event;
}

asio::awaitable<void> InterpreterProcess::room() {
  while (event_bytes_ > kEventBytesMax) co_await taken_.changed(taken_.version());
}

// False at the present end of what there is to read, or when there will be no more.
bool InterpreterProcess::take_messages() {
  if (!channel_.is_open()) return false;
  char buffer[kReadBytes];
  const ssize_t got = ::read(channel_.native_handle(), buffer, sizeof buffer);
  if (got <= 0) return got < 0 && errno == EINTR;
  std::string_view rest(buffer, static_cast<std::size_t>(got));
  for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    line_ += rest.substr(0, end);
    take_line(line_);
    line_.clear();
  }
  line_ += rest;
  if (line_.size() > kMessageBytesMax) line_.clear();
  return true;
}

void InterpreterProcess::take_line(std::string_view line) {
  auto message = json::parse_object(line);
  if (!message) return;  // the user's code found the socket; its affair
  const std::string type = text_of(*message, "type");
  InterpreterEvent event{};
  if (const auto* run = message->if_contains("run"); run && run->is_int64()) event.run = run->get_int64();
  event.text = text_of(*message, "text");
  if (type == "ready") {
    ready_ = true;
    changed_.notify();
    return;
  }
  if (type == "stdout" || type == "stderr") {
    event.type = type == "stdout" ? InterpreterEvent::Type::out : InterpreterEvent::Type::err;
  } else if (type == "error") {
    event.type = InterpreterEvent::Type::error;
    event.name = text_of(*message, "name");
    event.value = text_of(*message, "value");
    event.traceback = text_of(*message, "traceback");
  } else if (type == "control") {
    event.type = event.text == "interrupted" ? InterpreterEvent::Type::interrupted : InterpreterEvent::Type::completed;
    drain_raw();  // what child processes printed before the run ended
  } else {
    return;
  }
  push(std::move(event));
}

bool InterpreterProcess::take_raw(int index, std::size_t bytes_max) {
  if (!raw_[index].is_open()) return false;
  char buffer[kReadBytes];
  const ssize_t got = ::read(raw_[index].native_handle(), buffer, std::min(bytes_max, sizeof buffer));
  if (got < 0) return errno == EINTR;
  const std::string_view bytes(buffer, static_cast<std::size_t>(got));
  std::string text = got == 0 ? raw_text_[index].finish() : raw_text_[index].add(bytes);
  if (!text.empty()) {
    InterpreterEvent event{};
    event.type = index == 0 ? InterpreterEvent::Type::out : InterpreterEvent::Type::err;
    event.text = std::move(text);
    push(std::move(event));
  }
  if (got == 0) {
    boost::system::error_code ignored;
    raw_[index].close(ignored);
  }
  return got > 0;
}

void InterpreterProcess::drain_raw() {
  for (int index : {0, 1}) {
    int waiting = 0;
    if (raw_[index].is_open()) ::ioctl(raw_[index].native_handle(), FIONREAD, &waiting);
    while (waiting > 0 && take_raw(index, static_cast<std::size_t>(waiting))) {
      ::ioctl(raw_[index].native_handle(), FIONREAD, &waiting);
      if (event_bytes_ > 2 * kEventBytesMax) break;  // something prints without end
    }
  }
}

asio::awaitable<void> InterpreterProcess::read_messages(std::shared_ptr<InterpreterProcess> self) {
  while (self->channel_.is_open()) {
    auto [code] = co_await self->channel_.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (code) break;
    bool more = false;
    for (int i = 0; i < 8 && (more = self->take_messages()); ++i) co_await self->room();
    // The end of the socket is no error for async_wait, and would be found again and again.
    char one;
    if (!more && self->channel_.is_open() && ::recv(self->channel_.native_handle(), &one, 1, MSG_PEEK) == 0) break;
  }
}

asio::awaitable<void> InterpreterProcess::read_raw(std::shared_ptr<InterpreterProcess> self, int index) {
  while (self->raw_[index].is_open()) {
    auto [code] = co_await self->raw_[index].async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (code) break;
    for (int i = 0; i < 8 && self->take_raw(index, kReadBytes); ++i) co_await self->room();
  }
}

}  // namespace sebring::toolbox
