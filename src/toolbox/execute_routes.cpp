// POST /process/execute and /process/code-run.
#include <boost/json.hpp>

#include "json/json.h"
#include "toolbox/answer.h"
#include "toolbox/code_run.h"
#include "toolbox/command_answer.h"
#include "toolbox/configuration.h"
#include "toolbox/context.h"
#include "toolbox/run_command.h"
#include "toolbox/shell.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kBodyBytesMax = 32 << 20;
constexpr std::int64_t kTimeoutMax = 10LL * 365 * 86400;  // what the clock's arithmetic surely takes

struct CommandRequest {
  std::string text;      // the command, or the code
  std::string language;  // of code
  std::vector<std::string> argv;
  std::optional<std::string> cwd;
  std::vector<std::pair<std::string, std::string>> envs;
  std::optional<std::chrono::seconds> timeout;
};

std::unexpected<Error> bad_body(const Error& error) {
  return fail(Errc::invalid_argument, error.message(), "INVALID_REQUEST_BODY");
}

Result<CommandRequest> parse_request(std::string_view body, bool is_code) {
  auto object = json::parse_object(body);
  if (!object) return bad_body(object.error());
  json::ObjectReader reader(*object);
  CommandRequest request;
  request.text = reader.text(is_code ? "code" : "command").value_or("");
  request.cwd = reader.text("cwd");
  request.envs = reader.text_map("envs").value_or(decltype(request.envs){});
  if (is_code) {
    request.language = reader.text("language").value_or("");
    request.argv = reader.texts("argv").value_or(std::vector<std::string>{});
  }
  const auto timeout = reader.integer("timeout", 0, kTimeoutMax);
  if (auto read = reader.finish(); !read) return bad_body(read.error());
  if (timeout.value_or(0) > 0) request.timeout = std::chrono::seconds(*timeout);
  return request;
}

Result<StartSpec> start_spec(const Context& context, const CommandRequest& request) {
  StartSpec spec;
  SB_TRY(spec.environment, environment_of(context, request.envs));
  spec.cwd = context.work_dir;
  if (request.cwd && !request.cwd->empty()) {
    SB_TRY(spec.cwd, resolve_path(*request.cwd, context.work_dir, context.user.home));
  }
  spec.uid = context.user.uid;
  spec.gid = context.user.gid;
  spec.groups = context.user.groups;
  return spec;
}

// A program that can not be started is a result, not an error of the request.
bool is_start_failure(const Error& error) { return error.os_errno() != 0; }

CommandResult not_started(const Error& error) {
  CommandResult result;
  result.status.code = -1;
  result.output = "failed to start command: " + error.message() + "\n";
  return result;
}

net::asio::awaitable<Result<void>> execute(Context& context, net::Exchange& exchange) {
  SB_CO_TRY(const std::string body, co_await exchange.read_all(kBodyBytesMax));
  SB_CO_TRY(CommandRequest request, parse_request(body, false));
  if (request.text.empty()) co_return fail(Errc::invalid_argument, "command is required");
  SB_CO_TRY(StartSpec spec, start_spec(context, request));
  spec.candidates = shell_candidates(context);
  spec.argv = {""};  // the shell's own path
  if (std::string quick = quick_form(spec.candidates.front()); quick != spec.candidates.front()) {
    spec.argv = {spec.candidates.front()};
    spec.candidates.insert(spec.candidates.begin(), std::move(quick));
  }
  auto result = co_await run_command(context, exchange, std::move(spec), std::move(request.text), request.timeout);
  if (!result && !is_start_failure(result.error())) co_return fail(std::move(result.error()));
  co_await answer_command(exchange, result ? *std::move(result) : not_started(result.error()));
  co_return Result<void>{};
}

net::asio::awaitable<Result<void>> run_code(Context& context, net::Exchange& exchange) {
  SB_CO_TRY(const std::string body, co_await exchange.read_all(kBodyBytesMax));
  SB_CO_TRY(CommandRequest request, parse_request(body, true));
  if (request.text.empty()) co_return fail(Errc::invalid_argument, "code is required");
  SB_CO_TRY(CodeProgram program, make_program(request.language, request.text, request.argv));
  SB_CO_TRY(StartSpec spec, start_spec(context, request));
  spec.argv = std::move(program.argv);
  const std::string name = spec.argv[0];
  auto result = co_await run_command(context, exchange, std::move(spec), std::move(program.input), request.timeout);
  if (!result && !is_start_failure(result.error())) co_return fail(std::move(result.error()));
  if (!result) {
    CommandResult missing = not_started(result.error());
    if (result.error().os_errno() == ENOENT && !request.cwd) {  // as a shell says it
      missing.status.code = 127;
      missing.output = name + ": command not found\n";
    }
    co_await answer_command(exchange, std::move(missing));
    co_return Result<void>{};
  }
  std::string artifacts = program.has_charts ? take_charts(result->output) : "";
  co_await answer_command(exchange, *std::move(result), std::move(artifacts));
  co_return Result<void>{};
}

using Endpoint = net::asio::awaitable<Result<void>> (*)(Context&, net::Exchange&);

net::asio::awaitable<void> answer(Endpoint endpoint, Context& context, net::Exchange& exchange) {
  auto done = co_await endpoint(context, exchange);
  if (!done && done.error().code() != Errc::cancelled) co_await answer_error(exchange, done.error());
}

}  // namespace

void add_execute_routes(net::Router& router, Context& context) {
  router.add("POST", "/process/execute", [&context](net::Exchange& exchange, const net::PathParameters&) {
    return answer(execute, context, exchange);
  });
  router.add("POST", "/process/code-run", [&context](net::Exchange& exchange, const net::PathParameters&) {
    return answer(run_code, context, exchange);
  });
}

}  // namespace sebring::toolbox
