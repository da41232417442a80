// /process/interpreter: from requests to contexts and back.
#include <boost/json.hpp>

#include "base/random.h"
#include "json/json.h"
#include "toolbox/answer.h"
#include "toolbox/body.h"
#include "toolbox/interpreter_context.h"
#include "toolbox/paths.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kBodyBytesMax = 1 << 20;
constexpr std::size_t kMessageBytesMax = 16 << 20;  // code
constexpr std::size_t kCodeBytesMax = 64 << 20;     // of all runs that have not ended
constexpr std::chrono::seconds kFirstMessage{60};

using Exchange = net::Exchange;
using Parameters = net::PathParameters;

struct InterpreterStore {
  std::map<std::string, std::shared_ptr<InterpreterContext>> contexts;  // but the default one
  std::shared_ptr<InterpreterContext> standard;
  std::size_t code_bytes = 0;
};
using Store = std::shared_ptr<InterpreterStore>;

asio::awaitable<Result<std::shared_ptr<InterpreterContext>>> make_context(Store store, Context& context,
                                                                          const boost::json::object& body) {
  json::ObjectReader reader(body);
  const std::string cwd = reader.text("cwd").value_or("");
  const auto language = reader.text("language");
  SB_CO_CHECK(invalid_body(reader.finish()));
  const std::string name = language && !language->empty() ? *language : "python";
  if (name != "python" && name != "javascript" && name != "typescript") {
    co_return fail(Errc::invalid_argument, "unsupported language: " + name);
  }
  std::string directory = context.work_dir;
  if (!cwd.empty()) {
    SB_CO_TRY(directory, resolve_path(cwd, context.work_dir, context.user.home));
  }
  if (store->contexts.size() >= kInterpretersMax) co_return fail(Errc::exhausted, "too many interpreter contexts");
  const std::string id = random_uuid();
  auto made = std::make_shared<InterpreterContext>(context, id, name, directory);
  store->contexts[id] = made;
  auto started = co_await made->start();
  if (!started) {
    store->contexts.erase(id);
    const int number = started.error().os_errno();
    if (number == ENOENT || number == ENOTDIR || number == EACCES) {
      co_return fail(std::move(started.error()).with_code(Errc::invalid_argument));
    }
    co_return fail(std::move(started.error()));
  }
  co_return made;
}

asio::awaitable<void> create(Store store, Context& context, Exchange& exchange) {
  auto body = co_await read_object(exchange, kBodyBytesMax);
  if (!body) co_return co_await answer_error(exchange, body.error());
  auto made = co_await make_context(store, context, *body);
  if (!made) co_return co_await answer_error(exchange, made.error());
  co_await exchange.respond(net::Response::json(200, (*made)->info()));
}

asio::awaitable<void> list(Store store, Exchange& exchange) {
  std::string body = "{\"contexts\":[";
  bool first = true;
  for (const auto& [id, context] : store->contexts) {
    if (!first) body += ',';
    first = false;
    body += context->info();
  }
  co_await exchange.respond(net::Response::json(200, body + "]}"));
}

asio::awaitable<void> remove(Store store, Exchange& exchange, std::string id) {
  if (id == kDefaultInterpreter) {
    co_return co_await answer_error(exchange, Error(Errc::invalid_argument, "the default context can not be deleted"));
  }
  const auto found = store->contexts.find(id);
  if (found == store->contexts.end()) {
    co_return co_await answer_error(exchange, Error(Errc::not_found, "interpreter context not found"));
  }
  auto context = found->second;
  store->contexts.erase(found);
  co_await context->remove();
  co_await exchange.respond(net::Response::json(200, "{\"message\":\"Context deleted successfully\"}"));
}

std::shared_ptr<InterpreterContext> find_context(const Store& store, Context& context, const std::string& id) {
  if (id.empty() || id == kDefaultInterpreter) {
    if (!store->standard) {
      store->standard =
          std::make_shared<InterpreterContext>(context, std::string(kDefaultInterpreter), "python", context.work_dir);
    }
    return store->standard;
  }
  const auto found = store->contexts.find(id);
  return found == store->contexts.end() ? nullptr : found->second;
}

// Code of runs that have not ended.
class CodeBytes {
 public:
  CodeBytes(Store store, std::size_t bytes) : store_(std::move(store)), bytes_(bytes) { store_->code_bytes += bytes_; }
  ~CodeBytes() { store_->code_bytes -= bytes_; }
  CodeBytes(const CodeBytes&) = delete;
  CodeBytes& operator=(const CodeBytes&) = delete;

 private:
  Store store_;
  std::size_t bytes_;
};

// A client that connects and says nothing is not kept for ever.
asio::awaitable<void> abort_when_silent(Context& context, std::shared_ptr<net::WebSocket> socket,
                                        std::shared_ptr<Notifier> said) {
  if (!co_await said->changed(0, Steady::now() + kFirstMessage)) socket->abort();
}

asio::awaitable<void> execute(Store store, Context& context, Exchange& exchange) {
  auto accepted = co_await accept_client(exchange, kMessageBytesMax);
  if (!accepted) co_return co_await answer_error(exchange, accepted.error());
  auto socket = *std::move(accepted);
  auto said = std::make_shared<Notifier>(context.io);
  in_background(context.io, abort_when_silent(context, socket, said), "interpreter client");
  auto message = co_await socket->read();
  said->notify();
  if (!message || !*message) co_return socket->abort();
  auto request = parse_run_request(std::exchange((*message)->data, {}));
  if (!request) {
    const std::uint16_t code = request.error().tag() == "MALFORMED" ? 1002 : 1008;
    co_return co_await socket->close(code, request.error().message().substr(0, 120));
  }
  auto found = find_context(store, context, request->context_id);
  if (!found) co_return co_await socket->close(1008, "interpreter context not found");
  const CodeBytes held(store, request->code.size());
  if (store->code_bytes > kCodeBytesMax) co_return co_await socket->close(1013, "too much code waits to be run");
  co_await found->run(*std::move(request), socket);
}

}  // namespace

void add_interpreter_routes(net::Router& router, Context& context) {
  auto store = std::make_shared<InterpreterStore>();
  const std::string base = "/process/interpreter";
  router.add("POST", base + "/context",
             [store, &context](Exchange& exchange, const Parameters&) { return create(store, context, exchange); });
  router.add("GET", base + "/context",
             [store](Exchange& exchange, const Parameters&) { return list(store, exchange); });
  router.add("DELETE", base + "/context/{id}", [store](Exchange& exchange, const Parameters& parameters) {
    return remove(store, exchange, parameters["id"]);
  });
  router.add("GET", base + "/execute",
             [store, &context](Exchange& exchange, const Parameters&) { return execute(store, context, exchange); });
}

}  // namespace sebring::toolbox
