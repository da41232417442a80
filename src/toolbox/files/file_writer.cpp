#include "toolbox/files/file_writer.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/random.h"
#include "toolbox/files/file_error.h"
#include "toolbox/files/tree.h"

namespace sebring::toolbox::files {
namespace {

constexpr int kLinksMax = 40;  // as the kernel
constexpr unsigned kNewMode = 0644;
constexpr unsigned kParentMode = 0755;
constexpr std::size_t kCopyBytes = 64 * 1024 * 1024;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Links of /proc may lead to what has no path, or another one: "/memfd:x (deleted)". The kernel follows them to a file,
// their text would name a new one. `path` is the link, `target` where its text leads.
bool is_where_the_kernel_goes(const std::string& path, const std::string& target) {
  struct statfs system{};
  if (::statfs(parent_of(path).c_str(), &system) < 0 || system.f_type != PROC_SUPER_MAGIC) return true;
  struct stat reached{};
  struct stat named{};
  return ::stat(path.c_str(), &reached) == 0 && ::stat(target.c_str(), &named) == 0 && reached.st_dev == named.st_dev &&
         reached.st_ino == named.st_ino;
}

// Follows links in the last part by hand: rename would replace the link, not what it leads to.
Result<std::string> follow_links(std::string path) {
  for (int i = 0; i < kLinksMax; ++i) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
    if (length < 0) return path;
    const std::string_view text(target, static_cast<std::size_t>(length));
    std::string next = text.starts_with('/') ? std::string(text) : parent_of(path) + "/" + std::string(text);
    if (!is_where_the_kernel_goes(path, next))
      return fail(Errc::invalid_argument, path + ": leads to a file without a path", "INVALID_FILE_PATH");
    path = std::move(next);
  }
  return fail_file(ELOOP, path);
}

}  // namespace

Result<FileWriter> FileWriter::open(const std::string& path, bool make_parents) {
  if (path.ends_with('/')) return fail_file(EISDIR, path);
  FileWriter writer;
  SB_TRY(writer.target_, follow_links(path));
  struct stat status{};
  unsigned mode = kNewMode;
  if (::lstat(writer.target_.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return fail_file(EISDIR, path);
    if (!S_ISREG(status.st_mode))
      return fail(Errc::invalid_argument, path + ": not a regular file", "INVALID_FILE_PATH");
    // Replacing needs no right to the file itself; we ask for it all the same.
    if (::faccessat(AT_FDCWD, writer.target_.c_str(), W_OK, AT_EACCESS) < 0) return fail_file(errno, path);
    writer.replaces_ = true;
    mode = status.st_mode & 07777;
  } else if (errno == ENOENT) {
    if (make_parents) SB_CHECK(make_directories(parent_of(writer.target_), kParentMode));
  } else {
    return fail_file(errno, path);
  }
  if (auto beside = writer.open_beside(mode); !beside) {
    const int error = beside.error().os_errno();
    // A directory of root's with a file of the user's in it, or a read-only one with a writable file mounted in it.
    if (!writer.replaces_ || (error != EACCES && error != EPERM && error != EROFS)) return fail(beside.error());
    writer.in_place_ = true;
  }
  const bool other_owner = writer.replaces_ && (status.st_uid != ::geteuid() || status.st_gid != ::getegid());
  if (!writer.in_place_ && other_owner && ::fchown(writer.file_.get(), status.st_uid, status.st_gid) < 0) {
    writer.in_place_ = true;
  }
  if (writer.in_place_) {
    if (!writer.temporary_.empty()) ::unlink(std::exchange(writer.temporary_, "").c_str());
    SB_TRY(writer.file_, writer.open_target());
  } else if (writer.replaces_) {
    ::fchmod(writer.file_.get(), mode);
  }
  return writer;
}

Result<UniqueFd> FileWriter::open_target() const {
  UniqueFd file(::open(target_.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) < 0) return fail_file(errno, target_);
  if (!S_ISREG(status.st_mode))
    return fail(Errc::invalid_argument, target_ + ": not a regular file", "INVALID_FILE_PATH");
  return file;
}

Result<void> FileWriter::open_beside(unsigned mode) {
  const std::string directory = parent_of(target_);
  // Without a name nothing is left behind, however we end.
  file_.reset(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
  if (file_) return {};
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT) return fail_file(errno, target_);
  const std::string name = directory + "/.sebring-upload-" + random_hex(8);
  file_.reset(::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file_) return fail_file(errno, target_);
  temporary_ = name;
  return {};
}

FileWriter::~FileWriter() {
  if (file_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> FileWriter::write(std::string_view piece) {
  if (in_place_ && bytes_ == 0 && ::ftruncate(file_.get(), 0) < 0) return fail_file(errno, "write " + target_);
  while (!piece.empty()) {
    const ssize_t put = ::write(file_.get(), piece.data(), piece.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_file(errno, "write " + target_);
    bytes_ += static_cast<std::uint64_t>(put);
    piece.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> FileWriter::give_name(const std::string& name) {
  const std::string open_file = "/proc/self/fd/" + std::to_string(file_.get());
  if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) < 0) {
    return fail_file(errno, "make " + name);
  }
  return {};
}

Result<void> FileWriter::copy_over() {
  SB_TRY(const UniqueFd target, open_target());
  if (::ftruncate(target.get(), 0) < 0) return fail_file(errno, "write " + target_);
  off_t from = 0;
  for (;;) {
    const ssize_t moved = ::sendfile(target.get(), file_.get(), &from, kCopyBytes);
    if (moved == 0) return {};
    if (moved < 0 && errno != EINTR) return fail_file(errno, "write " + target_);
  }
}

Result<void> FileWriter::commit() {
  if (!in_place_ && temporary_.empty()) {
    if (!replaces_) {
      auto named = give_name(target_);
      if (named || named.error().os_errno() != EEXIST) {
        if (named) file_.reset();
        return named;
      }
    }
    const std::string name = parent_of(target_) + "/.sebring-upload-" + random_hex(8);
    SB_CHECK(give_name(name));
    temporary_ = name;
  }
  if (in_place_ && bytes_ == 0 && ::ftruncate(file_.get(), 0) < 0) return fail_file(errno, "write " + target_);
  if (!in_place_) {
    if (replaces_) replaced_.reset(::open(target_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (::rename(temporary_.c_str(), target_.c_str()) < 0) {
      // Something is mounted there, or the file is another user's in a directory where only owners replace.
      const bool in_the_way = errno == EBUSY || errno == EACCES || errno == EPERM;
      if (!replaces_ || !in_the_way) return fail_file(errno, "replace " + target_);
      SB_CHECK(copy_over());
      replaced_.reset();
      ::unlink(temporary_.c_str());
    }
    temporary_.clear();
  }
  // Some file systems tell of a full disk only now.
  if (::close(file_.release()) < 0) return fail_file(errno, "write " + target_);
  return {};
}

}  // namespace sebring::toolbox::files
