#include "cli/logs_command.h"

#include "base/text.h"
#include "cli/toolbox_client.h"

namespace sebring::cli {
namespace {

// Closed in order: 1000, or without a code.
constexpr int kClosedNormally = 1000;
constexpr int kClosedWithoutCode = 1005;

}  // namespace

int print_logs(ApiClient& api, const Output& output, const LogsOptions& options) {
  auto toolbox = ToolboxClient::open(api, options.box);
  if (!toolbox) return output.fail(toolbox.error());
  const std::string path =
      "/process/session/" + percent_encode(options.session) + "/command/" + percent_encode(options.command) + "/logs";
  auto write = [&](std::string_view piece) -> Result<void> {
    output.write(piece);
    return {};
  };
  if (!options.follow) {
    auto done = toolbox->download(path, write);
    return done ? kOk : output.fail(done.error());
  }
  auto code = toolbox->follow(path + "?follow=true", write);
  if (!code) return output.fail(code.error());
  if (*code == kClosedNormally || *code == kClosedWithoutCode) return kOk;
  return output.fail(Error(Errc::bad_gateway, "the log ended early (code " + std::to_string(*code) + ")"));
}

}  // namespace sebring::cli
