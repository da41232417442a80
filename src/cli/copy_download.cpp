// From a sandbox to this machine. Every name that the sandbox gives is checked before it becomes one here.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>

#include "base/random.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "cli/copy_transfer.h"

namespace sebring::cli {
namespace fs = std::filesystem;
namespace bj = boost::json;
namespace {

// Deeper trees are no trees of files but a loop or a trap.
constexpr int kDepthMax = 128;

Result<void> write_all(int fd, std::string_view piece, const std::string& name) {
  while (!piece.empty()) {
    ssize_t done = ::write(fd, piece.data(), piece.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_errno(errno, "write " + name);
    piece.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

Result<void> fetch(ToolboxClient& toolbox, const std::string& remote, const std::string& local, unsigned mode) {
  const std::string query = "/files/download?path=" + percent_encode(remote);
  if (local == "-")
    return toolbox.download(query,
                            [](std::string_view piece) { return write_all(STDOUT_FILENO, piece, "standard output"); });
  struct stat status{};
  const bool exists = ::stat(local.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {  // a device or a pipe takes bytes, and stays what it is
    UniqueFd fd(::open(local.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno(errno, "open " + local);
    return toolbox.download(query, [&](std::string_view piece) { return write_all(fd.get(), piece, local); });
  }
  // Whole or not at all: a copy that broke off must not look like one that did not. A link stays one.
  std::error_code error;
  const fs::path target = exists ? fs::canonical(local, error) : fs::path(local);
  const std::string part = (target.parent_path() / (".sebring-cp-" + random_hex(8))).string();
  UniqueFd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return fail_errno(errno, "create a file in the directory of " + local);
  auto done = toolbox.download(query, [&](std::string_view piece) { return write_all(fd.get(), piece, local); });
  if (done && ::rename(part.c_str(), target.c_str()) != 0) done = fail_errno(errno, "rename to " + local);
  if (!done) ::unlink(part.c_str());
  return done;
}

Result<void> fetch_tree(ToolboxClient& toolbox, const std::string& remote, const fs::path& target, const Warn& warn) {
  SB_TRY(bj::value list,
         toolbox.call("GET", "/files?path=" + percent_encode(remote) + "&depth=" + std::to_string(kDepthMax), {},
                      kFileCallDeadline));
  if (!list.is_array()) return fail(Errc::bad_gateway, "the toolbox answered no list of files");
  std::error_code error;
  fs::create_directories(target, error);
  if (error) return fail_errno(error.value(), "make " + target.string());
  for (const bj::value& value : list.get_array()) {
    if (!value.is_object()) continue;
    const bj::object& entry = value.get_object();
    const std::string path = field(entry, "path");
    auto relative = relative_below(remote, path);
    if (!relative) {
      warn("a name outside the directory was left out: " + path);
      continue;
    }
    const fs::path local = target / *relative;
    if (field(entry, "isDir") == "true") {
      fs::create_directories(local, error);
      if (error) return fail_errno(error.value(), "make " + local.string());
    } else if (!field(entry, "mode").starts_with('-')) {
      warn(path + " is no file and was left out");
    } else {
      fs::create_directories(local.parent_path(), error);
      SB_CHECK(fetch(toolbox, path, local.string(), parse_mode(field(entry, "permissions")).value_or(0644)));
    }
  }
  return {};
}

}  // namespace

Result<RemoteFile> look_at(ToolboxClient& toolbox, const std::string& path) {
  auto info = toolbox.call("GET", "/files/info?path=" + percent_encode(path), {}, kFileCallDeadline);
  if (!info && info.error().code() == Errc::not_found) return RemoteFile{};
  if (!info) return fail(std::move(info).error());
  if (!info->is_object()) return fail(Errc::bad_gateway, "the toolbox answered nothing about " + path);
  const bj::object& facts = info->get_object();
  return RemoteFile{true, field(facts, "isDir") == "true", field(facts, "path")};
}

Result<void> download_path(ToolboxClient& toolbox, const CopyEnd& from, const CopyEnd& to, const Warn& warn) {
  SB_TRY(RemoteFile known, look_at(toolbox, from.path));
  if (!known.exists) return fail(Errc::not_found, from.box + ":" + from.path + ": no such file or directory");
  struct stat status{};
  std::string target = to.path;
  const bool into =
      !to.is_standard() && (target.ends_with('/') || (::stat(target.c_str(), &status) == 0 && S_ISDIR(status.st_mode)));
  if (into) {
    const std::string name = base_name(from.path);
    if (name.empty() && !known.is_directory)
      return fail(Errc::invalid_argument, from.path + " has no name to copy it to");
    target = (fs::path(target) / name).string();
  }
  if (!known.is_directory) return fetch(toolbox, from.path, target, 0644);
  if (to.is_standard()) return fail(Errc::invalid_argument, from.path + " is a directory");
  std::string root = known.path.starts_with('/') ? known.path : from.path;
  while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  return fetch_tree(toolbox, root, target, warn);
}

}  // namespace sebring::cli
