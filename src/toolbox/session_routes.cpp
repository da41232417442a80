// /process/session: from requests to sessions and back.
#include <boost/json.hpp>

#include "json/json.h"
#include "toolbox/answer.h"
#include "toolbox/body.h"
#include "toolbox/session_format.h"
#include "toolbox/session_store.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kBodyBytesMax = 16 << 20;
// Clients before this one expect sessions to start in the home directory.
constexpr SdkVersion kFirstInWorkDir{0, 103, 0};

using Exchange = net::Exchange;
using Parameters = net::PathParameters;
using Store = std::shared_ptr<SessionStore>;

asio::awaitable<void> create_session(Store store, Context& context, Exchange& exchange) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  json::ObjectReader reader(*body);
  std::string id = reader.required_text("sessionId");
  if (auto valid = invalid_body(reader.finish()); !valid) co_return co_await answer_error(exchange, valid.error());
  const auto version = sdk_version(exchange);
  const std::string cwd = version && *version < kFirstInWorkDir ? context.user.home : context.work_dir;
  auto created = co_await store->create(std::move(id), cwd);
  if (!created) co_return co_await answer_error(exchange, created.error());
  co_await exchange.respond(net::Response::empty(201));
}

asio::awaitable<void> list_sessions(Store store, Exchange& exchange) {
  std::string body = "[";
  for (const auto& [id, session] : store->all()) {
    if (body.size() > 1) body += ',';
    body += session_json(*session);
  }
  body += ']';
  co_await exchange.respond(net::Response::json(200, std::move(body)));
}

asio::awaitable<void> get_session(Store store, Exchange& exchange, std::string id) {
  auto session = store->find(id);
  if (!session) co_return co_await answer_error(exchange, session.error());
  co_await exchange.respond(net::Response::json(200, session_json(**session)));
}

asio::awaitable<void> delete_session(Store store, Exchange& exchange, std::string id) {
  auto removed = co_await store->remove(std::move(id));
  if (!removed) co_return co_await answer_error(exchange, removed.error());
  co_await exchange.respond(net::Response::empty(204));
}

struct ExecuteRequest {
  std::string command;
  bool asynchronous = false;
  bool echo_input = true;
};

Result<ExecuteRequest> parse_execute(const boost::json::object& body) {
  json::ObjectReader reader(body);
  ExecuteRequest request{.command = reader.required_text("command")};
  const auto run_async = reader.boolean("runAsync");
  const auto old_name = reader.boolean("async");
  request.asynchronous = run_async.value_or(false) || old_name.value_or(false);
  request.echo_input = !reader.boolean("suppressInputEcho").value_or(false);
  SB_CHECK(invalid_body(reader.finish()));
  if (request.command.find('\0') != std::string::npos)
    return fail(Errc::invalid_argument, "command has a NUL character");
  return request;
}

asio::awaitable<void> execute(Store store, Exchange& exchange, std::string id) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  auto request = parse_execute(*body);
  if (!request) co_return co_await answer_error(exchange, request.error());
  auto session = store->find_shell(id);
  if (!session) co_return co_await answer_error(exchange, session.error());
  auto started = (*session)->execute(std::move(request->command), request->asynchronous, request->echo_input);
  if (!started) co_return co_await answer_error(exchange, started.error());
  auto command = *std::move(started);
  if (request->asynchronous) co_return co_await answer_accepted(exchange, command);
  Notifier& changed = command->log().grown();
  while (!command->exit_code()) co_await changed.changed(changed.version());
  if (command->failure()) co_return co_await answer_error(exchange, *command->failure());
  co_await answer_executed(exchange, command, log_format(exchange));
}

Result<std::shared_ptr<Command>> find_command(const Store& store, const std::string& session_id,
                                              const std::string& command_id) {
  SB_TRY(auto session, store->find(session_id));
  return session->find(command_id);
}

asio::awaitable<void> get_command(Store store, Exchange& exchange, std::string id, std::string command_id) {
  auto command = find_command(store, id, command_id);
  if (!command) co_return co_await answer_error(exchange, command.error());
  std::string body;
  append_command(body, **command);
  co_await exchange.respond(net::Response::json(200, std::move(body)));
}

asio::awaitable<void> get_logs(Store store, Context& context, Exchange& exchange, std::string id,
                               std::string command_id) {
  auto command = find_command(store, id, command_id);
  if (!command) co_return co_await answer_error(exchange, command.error());
  const LogFormat format = log_format(exchange);
  if (!exchange.wants_websocket()) co_return co_await answer_log(exchange, *command, format);
  const net::Query query(exchange.request().query);
  const bool follow = query.find("follow").value_or("") == "true";
  auto socket = co_await accept_client(exchange);
  if (!socket) co_return co_await answer_error(exchange, socket.error());
  co_await send_log(context.io, *std::move(socket), *command, format, follow);
}

asio::awaitable<void> send_input(Store store, Exchange& exchange, std::string id, std::string command_id) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  json::ObjectReader reader(*body);
  auto data = reader.text("data");
  if (!data) reader.error("data is required");
  if (auto valid = invalid_body(reader.finish()); !valid) co_return co_await answer_error(exchange, valid.error());
  auto session = store->find(id);
  if (!session) co_return co_await answer_error(exchange, session.error());
  auto command = (*session)->find(command_id);
  if (!command) co_return co_await answer_error(exchange, command.error());
  co_await (*session)->input_room(*command, data->size());
  auto sent = (*session)->send_input(**command, *std::move(data));
  if (!sent) co_return co_await answer_error(exchange, sent.error());
  co_await exchange.respond(net::Response::empty(204));
}

}  // namespace

void add_session_routes(net::Router& router, Context& context) {
  auto store = std::make_shared<SessionStore>(context);
  store->start_entrypoint();
  const std::string base = "/process/session";
  router.add("POST", base, [store, &context](Exchange& exchange, const Parameters&) {
    return create_session(store, context, exchange);
  });
  router.add("GET", base, [store](Exchange& exchange, const Parameters&) { return list_sessions(store, exchange); });
  router.add("GET", base + "/entrypoint/logs", [store, &context](Exchange& exchange, const Parameters&) {
    return get_logs(store, context, exchange, std::string(EntrypointSession::kId),
                    std::string(EntrypointSession::kCommandId));
  });
  router.add("GET", base + "/{id}", [store](Exchange& exchange, const Parameters& parameters) {
    return get_session(store, exchange, parameters["id"]);
  });
  router.add("DELETE", base + "/{id}", [store](Exchange& exchange, const Parameters& parameters) {
    return delete_session(store, exchange, parameters["id"]);
  });
  router.add("POST", base + "/{id}/exec", [store](Exchange& exchange, const Parameters& parameters) {
    return execute(store, exchange, parameters["id"]);
  });
  const std::string command = base + "/{id}/command/{command}";
  router.add("GET", command, [store](Exchange& exchange, const Parameters& parameters) {
    return get_command(store, exchange, parameters["id"], parameters["command"]);
  });
  router.add("GET", command + "/logs", [store, &context](Exchange& exchange, const Parameters& parameters) {
    return get_logs(store, context, exchange, parameters["id"], parameters["command"]);
  });
  router.add("POST", command + "/input", [store](Exchange& exchange, const Parameters& parameters) {
    return send_input(store, exchange, parameters["id"], parameters["command"]);
  });
}

}  // namespace sebring::toolbox
