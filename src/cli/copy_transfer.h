#pragma once
// The two directions of `sebring cp`.
#include <functional>
#include <string>

#include "cli/copy_paths.h"
#include "cli/toolbox_client.h"

namespace sebring::cli {

// For what is left out: links, devices, names that a sandbox must not have.
using Warn = std::function<void(const std::string&)>;

Result<void> upload_path(ToolboxClient& toolbox, const CopyEnd& from, const CopyEnd& to, const Warn& warn);
Result<void> download_path(ToolboxClient& toolbox, const CopyEnd& from, const CopyEnd& to, const Warn& warn);

// Facts about one path in the sandbox.
struct RemoteFile {
  bool exists = false;
  bool is_directory = false;
  std::string path;  // whole, whatever was asked with
};
Result<RemoteFile> look_at(ToolboxClient& toolbox, const std::string& path);

constexpr std::chrono::seconds kFileCallDeadline{60};

}  // namespace sebring::cli
