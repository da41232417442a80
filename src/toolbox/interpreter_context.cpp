#include "toolbox/interpreter_context.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox/configuration.h"
#include "toolbox/error_body.h"

namespace sebring::toolbox {
namespace {

using Type = InterpreterEvent::Type;

asio::awaitable<void> close_socket(std::shared_ptr<net::WebSocket> socket, std::uint16_t code, std::string reason) {
  co_await socket->close(code, std::move(reason));
}

InterpreterEvent error_event(std::string name, std::string value) {
  InterpreterEvent event{};
  event.type = Type::error;
  event.name = std::move(name);
  event.value = std::move(value);
  return event;
}

}  // namespace

struct InterpreterContext::Client {
  std::shared_ptr<net::WebSocket> socket;
  bool gone = false;
  std::shared_ptr<InterpreterProcess> process;  // of the present run
  bool closed = false;

  asio::awaitable<void> send(const InterpreterEvent& event) {
    if (!gone && !co_await socket->send_text(interpreter_frame(event))) gone = true;
  }
};

std::string interpreter_frame(const InterpreterEvent& event) {
  constexpr const char* kTypes[] = {"stdout", "stderr", "error", "control", "control"};
  std::string frame = "{\"type\":\"";
  frame += kTypes[static_cast<int>(event.type)];
  frame += "\",\"text\":";
  append_json_string(frame, event.type == Type::completed     ? "completed"
                            : event.type == Type::interrupted ? "interrupted"
                                                              : std::string_view(event.text));
  frame += ",\"name\":";
  append_json_string(frame, event.name);
  frame += ",\"value\":";
  append_json_string(frame, event.value);
  frame += ",\"traceback\":";
  append_json_string(frame, event.traceback);
  return frame + "}";
}

Result<RunRequest> parse_run_request(std::string_view text) {
  auto body = text.empty() ? fail(Errc::invalid_argument, "message is empty") : json::parse_object(text);
  if (!body) return fail(std::move(body.error()).tagged("MALFORMED"));
  json::ObjectReader reader(*body);
  RunRequest request;
  request.code = reader.required_text("code");
  request.context_id = reader.text("contextId").value_or("");
  request.envs = reader.text_map("envs").value_or(std::vector<std::pair<std::string, std::string>>{});
  if (auto seconds = reader.number("timeout")) {
    constexpr double kSecondsMax = 1e9;
    if (!(*seconds >= 0 && *seconds <= kSecondsMax)) {
      reader.error("timeout must be a number of seconds, 0 for none");
    } else if (*seconds == 0) {
      request.time_max.reset();
    } else {
      request.time_max = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
    }
  }
  for (const auto& [name, value] : request.envs) {
    if (!is_environment_name(name)) reader.error("invalid environment variable name: '" + name + "'");
    if (value.find('\0') != std::string::npos) reader.error("environment variable '" + name + "' has a NUL character");
  }
  SB_CHECK(reader.finish());
  return request;
}

InterpreterContext::InterpreterContext(Context& context, std::string id, std::string language, std::string cwd)
    : context_(context),
      id_(std::move(id)),
      language_(std::move(language)),
      cwd_(std::move(cwd)),
      created_at_(system_clock().wall_ms()),
      start_event_(context.io),
      turn_event_(context.io) {}

std::string InterpreterContext::info() const {
  std::string out = "{\"id\":";
  append_json_string(out, id_);
  out += ",\"cwd\":";
  append_json_string(out, cwd_);
  out += ",\"createdAt\":\"" + iso8601(created_at_) + "\",\"active\":" + (removed_ ? "false" : "true");
  out += ",\"language\":";
  append_json_string(out, language_);
  return out + "}";
}

asio::awaitable<Result<void>> InterpreterContext::start() {
  auto self = shared_from_this();
  while (starting_) co_await start_event_.changed(start_event_.version());
  if (removed_) co_return fail(Errc::gone, "the interpreter context was deleted");
  if (process_ && !process_->ended()) co_return Result<void>{};
  if (process_ && notice_.empty()) {
    notice_ =
        "the interpreter " + describe_end(*process_->ended()) + " and was started again; earlier variables are lost";
  }
  starting_ = true;
  auto started = co_await InterpreterProcess::start(context_, language_, cwd_);
  starting_ = false;
  start_event_.notify();
  if (!started) co_return fail(std::move(started.error()));
  process_ = *std::move(started);
  if (removed_) co_await process_->kill();
  co_return Result<void>{};
}

asio::awaitable<void> InterpreterContext::remove() {
  auto self = shared_from_this();
  removed_ = true;
  turn_event_.notify();
  while (starting_) co_await start_event_.changed(start_event_.version());
  if (process_) co_await process_->kill();
}

// Learns of the client's leaving, and of its wish to interrupt: {"interrupt": true}.
asio::awaitable<void> InterpreterContext::watch_client(std::shared_ptr<Client> client,
                                                       std::shared_ptr<InterpreterContext> self) {
  for (;;) {
    auto message = co_await client->socket->read();
    if (!message || !*message) break;
    auto object = json::parse_object((*message)->data);
    const auto* wish = object ? object->if_contains("interrupt") : nullptr;
    if (wish && wish->is_bool() && wish->get_bool() && client->process) client->process->interrupt();
  }
  client->gone = true;
  self->turn_event_.notify();
  if (client->process) client->process->changed().notify();
}

asio::awaitable<void> InterpreterContext::run(RunRequest request, std::shared_ptr<net::WebSocket> socket) {
  auto self = shared_from_this();
  if (turns_.size() > kWaitingRunsMax) co_return co_await socket->close(1013, "too many runs wait for this context");
  auto client = std::make_shared<Client>(socket);
  in_background(context_.io, watch_client(client, self), "interpreter client");
  const void* turn = client.get();
  turns_.push_back(turn);
  while (turns_.front() != turn && !client->gone && !removed_) co_await turn_event_.changed(turn_event_.version());
  if (!client->gone && !removed_) co_await run_now(std::move(request), client);
  std::erase(turns_, turn);
  turn_event_.notify();
  if (removed_ && !client->closed) {
    co_await client->send(error_event("ContextDeleted", "the interpreter context was deleted"));
    client->closed = true;
    co_await socket->close(1000, "");
  }
  if (client->gone) socket->abort();
}

asio::awaitable<void> InterpreterContext::run_now(RunRequest request, std::shared_ptr<Client> client) {
  const std::int64_t number = ++last_run_;
  if (auto started = co_await start(); !started) {
    if (removed_) co_return;
    co_await client->send(error_event("InterpreterUnavailable", started.error().message()));
    client->closed = true;
    co_return co_await client->socket->close(1011, started.error().message().substr(0, 120));
  }
  auto process = process_;
  client->process = process;
  if (!notice_.empty()) {
    InterpreterEvent event{};
    event.type = Type::err;
    event.text = "[" + std::exchange(notice_, {}) + "]\n";
    co_await client->send(event);
  }
  const auto deadline = request.time_max ? Steady::now() + *request.time_max : Steady::time_point::max();
  process->listen(true);
  co_await process->run(number, std::move(request.code), std::move(request.envs));
  const End end = co_await relay(number, client, deadline);
  client->process.reset();
  switch (end) {
    case End::over:
      client->closed = true;
      in_background(context_.io, close_socket(client->socket, 1000, ""), "interpreter client");
      break;
    case End::timed_out:
      client->closed = true;
      in_background(context_.io, close_socket(client->socket, 4008, "execution timed out"), "interpreter client");
      co_await settle(number);
      break;
    case End::client_gone:
      co_await settle(number);
      break;
    case End::process_ended:
      co_await tell_process_ended(client);
      break;
  }
  process->listen(false);
}

// Passes on what the interpreter says of this run, until its end or another.
asio::awaitable<InterpreterContext::End> InterpreterContext::relay(std::int64_t number, std::shared_ptr<Client> client,
                                                                   Steady::time_point deadline) {
  auto process = client->process;
  for (;;) {
    const std::uint64_t seen = process->changed().version();
    while (auto event = process->next()) {
      if (event->run != 0 && event->run != number) continue;  // of a thread that an earlier run left
      co_await client->send(*event);
      if (event->type == Type::completed || event->type == Type::interrupted) co_return End::over;
      if (client->gone) co_return End::client_gone;
      if (Steady::now() >= deadline) co_return End::timed_out;
    }
    if (client->gone) co_return End::client_gone;
    if (process->ended()) co_return End::process_ended;
    if (Steady::now() >= deadline) co_return End::timed_out;
    co_await process->changed().changed(seen, deadline);
  }
}

// Nobody listens any more: interrupts the run, so that the next can begin.
asio::awaitable<void> InterpreterContext::settle(std::int64_t number) {
  auto process = process_;
  process->interrupt();
  const auto deadline = Steady::now() + kInterruptGrace;
  for (;;) {
    const std::uint64_t seen = process->changed().version();
    while (auto event = process->next()) {
      const bool last = event->type == Type::completed || event->type == Type::interrupted;
      if (last && event->run == number) co_return;
    }
    if (process->ended()) co_return;
    if (Steady::now() >= deadline) break;
    co_await process->changed().changed(seen, deadline);
  }
  notice_ = "an earlier run could not be interrupted, so the interpreter was started again; earlier variables are lost";
  co_await process->kill();
}

asio::awaitable<void> InterpreterContext::tell_process_ended(std::shared_ptr<Client> client) {
  if (removed_) co_return;
  co_await client->send(
      error_event("InterpreterExited", "the interpreter " + describe_end(*process_->ended()) +
                                           "; its variables are lost, the next run starts a new one"));
  process_.reset();
  client->closed = true;
  in_background(context_.io, close_socket(client->socket, 1000, ""), "interpreter client");
}

}  // namespace sebring::toolbox
