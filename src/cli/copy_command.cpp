#include "cli/copy_command.h"

#include "cli/copy_paths.h"
#include "cli/copy_transfer.h"

namespace sebring::cli {

int copy_files(ApiClient& api, const Output& output, const std::string& from, const std::string& to) {
  const CopyEnd source = parse_copy_end(from);
  const CopyEnd target = parse_copy_end(to);
  if (source.is_remote() == target.is_remote())
    return output.fail(Error(Errc::invalid_argument, "cp: one of the two must be SANDBOX:PATH"), kUsage);
  if (source.path.empty() || target.path.empty())
    return output.fail(Error(Errc::invalid_argument, "cp: empty path"), kUsage);
  auto toolbox = ToolboxClient::open(api, source.is_remote() ? source.box : target.box);
  if (!toolbox) return output.fail(toolbox.error());
  auto warn = [&](const std::string& text) { output.fail(Error(Errc::internal, text)); };
  auto done =
      source.is_remote() ? download_path(*toolbox, source, target, warn) : upload_path(*toolbox, source, target, warn);
  return done ? kOk : output.fail(std::move(done).error().while_doing("cp"));
}

}  // namespace sebring::cli
