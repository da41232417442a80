#include "cli/exec_command.h"

#include <boost/json.hpp>

#include "cli/shell_quote.h"
#include "cli/toolbox_client.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

// Without --timeout a command may take as long as it likes; a bound all the same, so that nothing waits for ever.
constexpr std::chrono::hours kLongest{24 * 7};

Result<bj::object> request_of(const ExecOptions& options) {
  bj::object body{{"command", command_line(options.command)}};
  if (!options.cwd.empty()) body["cwd"] = options.cwd;
  if (options.timeout_s) body["timeout"] = *options.timeout_s;
  SB_TRY(bj::object env, environment_of(options));
  if (!env.empty()) body["envs"] = std::move(env);
  return body;
}

Result<bj::value> execute(ApiClient& api, const ExecOptions& options) {
  SB_TRY(bj::object body, request_of(options));
  SB_TRY(ToolboxClient toolbox, ToolboxClient::open(api, options.box));
  std::chrono::milliseconds deadline = kLongest;
  if (options.timeout_s) deadline = std::chrono::seconds(*options.timeout_s) + std::chrono::seconds(15);
  return toolbox.call("POST", "/process/execute", body, deadline);
}

}  // namespace

Result<bj::object> environment_of(const ExecOptions& options) {
  bj::object env;
  for (const std::string& text : options.env) {
    std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(Errc::invalid_argument, "--env \"" + text + "\": expected KEY=VALUE");
    env[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return env;
}

int exec_in_sandbox(ApiClient& api, const Output& output, const ExecOptions& options) {
  auto answer = execute(api, options);
  if (!answer) return output.fail(answer.error(), kExecFailed);
  const bj::value* code = answer->is_object() ? answer->get_object().if_contains("exitCode") : nullptr;
  if (!code || !code->is_int64())
    return output.fail(Error(Errc::bad_gateway, "no exit code in the answer"), kExecFailed);
  if (output.json) {
    output.write_json(*answer);
  } else {
    output.write(field(answer->get_object(), "result"));
  }
  // -1 is how the toolbox says that it could not start the command.
  return code->get_int64() < 0 ? kExecFailed : static_cast<int>(code->get_int64() & 0xff);
}

}  // namespace sebring::cli
