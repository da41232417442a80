#pragma once
#include <string>

#include "cli/api_client.h"
#include "cli/output.h"

namespace sebring::cli {

struct LogsOptions {
  std::string box;
  std::string session = "entrypoint";
  std::string command = "entrypoint_command";
  bool follow = false;
};
// What a session's command wrote; by default the entrypoint's. With follow until it ends.
int print_logs(ApiClient& api, const Output& output, const LogsOptions& options);

}  // namespace sebring::cli
