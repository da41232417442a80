#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/api_client.h"
#include "cli/output.h"

namespace sebring::cli {

struct ExecOptions {
  std::string box;
  std::vector<std::string> command;  // see command_line()
  std::string cwd;
  std::vector<std::string> env;  // "K=V"
  std::optional<std::int64_t> timeout_s;
};
// {"K":"V"}. Errc::invalid_argument for what is no KEY=VALUE.
Result<boost::json::object> environment_of(const ExecOptions& options);

// Writes what the command wrote, returns its exit code; kExecFailed when there is none.
int exec_in_sandbox(ApiClient& api, const Output& output, const ExecOptions& options);

}  // namespace sebring::cli
