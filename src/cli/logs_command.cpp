#include "cli/logs_command.h"

#include "base/text.h"
#include "cli/toolbox_client.h"

namespace sebring::cli {
namespace {

// Closed in order: 1000, or without a code.
constexpr int kClosedNormally = 1000;
constexpr int kClosedWithoutCode = 1005;

}  // namespace

namespace {

Error explain(Error error, const LogsOptions& options) {
  if (options.session != LogsOptions().session || error.code() != Errc::not_found) return error;
  return Error(Errc::not_found, options.box +
                                    " has no log: its image starts no program of its own. --session and --command name "
                                    "those that were started later");
}

}  // namespace

int print_logs(ApiClient& api, const Output& output, const LogsOptions& options) {
  auto toolbox = ToolboxClient::open(api, options.box);
  if (!toolbox) return output.fail(toolbox.error());
  const std::string path =
      "/process/session/" + percent_encode(options.session) + "/command/" + percent_encode(options.command) + "/logs";
  bool read = true;  // by somebody, at the other end of the pipe
  auto write = [&](std::string_view piece) -> Result<void> {
    read = output.write(piece);
    if (!read) return fail(Errc::cancelled, "nobody reads the log any more");
    return {};
  };
  if (!options.follow) {
    auto done = toolbox->download(path, write);
    return done || !read ? kOk : output.fail(explain(done.error(), options));
  }
  auto code = toolbox->follow(path + "?follow=true", write);
  if (!read) return kOk;
  if (!code) {
    // Says what is missing in words; a refused upgrade only has a number.
    auto known = toolbox->download(path, [](std::string_view) -> Result<void> { return fail(Errc::cancelled, ""); });
    const bool missing = !known && known.error().code() == Errc::not_found;
    return output.fail(missing ? explain(known.error(), options) : code.error());
  }
  if (*code == kClosedNormally || *code == kClosedWithoutCode) return kOk;
  return output.fail(Error(Errc::bad_gateway, "the log ended early (code " + std::to_string(*code) + ")"));
}

}  // namespace sebring::cli
