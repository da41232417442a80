// From this machine into a sandbox.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "cli/copy_transfer.h"

namespace sebring::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
// Files per request: one answer tells about all of them, and a failure in the middle costs at most these.
constexpr std::size_t kFilesPerRequest = 256;
constexpr mode_t kServerMode = 0644;  // what an uploaded file has without further ado

struct LocalFile {
  std::string local;  // "-": standard input
  std::string remote;
  mode_t mode = kServerMode;
};

// A multipart body made while it is sent: file after file, nothing is held whole.
class MultipartSource {
 public:
  MultipartSource(std::span<const LocalFile> files) : files_(files), boundary_("sebring-" + random_hex(16)) {}
  std::string content_type() const { return "multipart/form-data; boundary=" + boundary_; }

  Result<std::string> next() {
    if (open_) {
      std::string piece(kPieceBytes, '\0');
      ssize_t got = ::read(open_.get(), piece.data(), piece.size());
      if (got < 0) return fail_errno(errno, "read " + files_[index_].local);
      if (got > 0) {
        piece.resize(static_cast<std::size_t>(got));
        return piece;
      }
      open_.reset();
      ++index_;
      return std::string("\r\n");
    }
    if (index_ == files_.size()) {
      if (finished_) return std::string();
      finished_ = true;
      return "--" + boundary_ + "--\r\n";
    }
    SB_CHECK(open_next());
    return head();
  }

 private:
  Result<void> open_next() {
    const std::string& path = files_[index_].local;
    open_.reset(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!open_) return fail_errno(errno, "open " + path);
    return {};
  }

  std::string head() const {
    const std::string name = "files[" + std::to_string(index_) + "]";
    return "--" + boundary_ + "\r\nContent-Disposition: form-data; name=\"" + name + ".path\"\r\n\r\n" +
           files_[index_].remote + "\r\n--" + boundary_ + "\r\nContent-Disposition: form-data; name=\"" + name +
           ".file\"; filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\n";
  }

  std::span<const LocalFile> files_;
  std::string boundary_;
  std::size_t index_ = 0;
  UniqueFd open_;
  bool finished_ = false;
};

Result<void> send(ToolboxClient& toolbox, std::span<const LocalFile> files) {
  MultipartSource source(files);
  SB_TRY(auto answer, toolbox.upload("/files/bulk-upload", source.content_type(), [&] { return source.next(); }));
  for (const LocalFile& file : files) {
    if (file.mode == kServerMode) continue;
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", file.mode & 0777U);
    SB_TRY(auto changed,
           toolbox.call("POST", "/files/permissions?path=" + percent_encode(file.remote) + "&mode=" + mode, {},
                        kFileCallDeadline));
  }
  return {};
}

Result<void> make_folder(ToolboxClient& toolbox, const std::string& path) {
  SB_TRY(RemoteFile known, look_at(toolbox, path));
  if (known.is_directory) return {};
  SB_TRY(auto made,
         toolbox.call("POST", "/files/folder?path=" + percent_encode(path) + "&mode=0755", {}, kFileCallDeadline));
  return {};
}

Result<void> send_tree(ToolboxClient& toolbox, const fs::path& root, const std::string& target, const Warn& warn) {
  SB_CHECK(make_folder(toolbox, target));
  std::vector<LocalFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string remote = target + "/" + it->path().lexically_relative(root).string();
    struct stat status{};
    if (::lstat(it->path().c_str(), &status) != 0) return fail_errno(errno, "look at " + it->path().string());
    if (S_ISDIR(status.st_mode)) {
      SB_CHECK(make_folder(toolbox, remote));
    } else if (S_ISREG(status.st_mode)) {
      files.push_back({it->path().string(), remote, status.st_mode & 0777});
    } else {
      warn(it->path().string() + " is no file and was left out");
    }
  }
  if (error) return fail_errno(error.value(), "read " + root.string());
  for (std::size_t i = 0; i < files.size(); i += kFilesPerRequest)
    SB_CHECK(send(toolbox, std::span(files).subspan(i, std::min(kFilesPerRequest, files.size() - i))));
  return {};
}

}  // namespace

Result<void> upload_path(ToolboxClient& toolbox, const CopyEnd& from, const CopyEnd& to, const Warn& warn) {
  struct stat status{};
  if (!from.is_standard() && ::stat(from.path.c_str(), &status) != 0) return fail_errno(errno, "look at " + from.path);
  SB_TRY(RemoteFile known, look_at(toolbox, to.path));
  std::string target = to.path;
  if (known.is_directory || target.ends_with('/')) {
    const std::string name = from.is_standard() ? "" : base_name(fs::absolute(from.path).lexically_normal().string());
    if (name.empty()) return fail(Errc::invalid_argument, to.path + " is a directory; give a name in it");
    while (target.size() > 1 && target.ends_with('/')) target.pop_back();
    target += (target == "/" ? "" : "/") + name;
  }
  if (target.find_first_of("\r\n") != std::string::npos)
    return fail(Errc::invalid_argument, "a name with a line break");
  if (!from.is_standard() && S_ISDIR(status.st_mode)) return send_tree(toolbox, from.path, target, warn);
  const LocalFile file{from.path, target, from.is_standard() ? kServerMode : status.st_mode & 0777};
  return send(toolbox, std::span(&file, 1));
}

}  // namespace sebring::cli
