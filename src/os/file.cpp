#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

namespace sebring::os {

Result<UniqueFd> open_at(int dir, const std::string& path, int flags, mode_t mode) {
  int fd = ::openat(dir, path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno(errno, "open " + path);
  return UniqueFd(fd);
}

Result<UniqueFd> open_dir(const std::string& path) { return open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY); }

Result<UniqueFd> open_inside(int root, const std::string& path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
  if (!(flags & O_PATH)) how.flags |= O_NONBLOCK | O_NOCTTY;
  if (flags & O_CREAT) how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  int fd;
  // EAGAIN: a rename elsewhere while "..", which we never use, was being resolved; the kernel asks to try again.
  for (int tries = 0; (fd = static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how))) < 0;
       ++tries)
    if (errno != EAGAIN || tries == 16) return fail_errno(errno, "open " + path + " inside");
  return UniqueFd(fd);
}

Result<void> make_dir_at(int dir, const std::string& name, mode_t mode) {
  if (::mkdirat(dir, name.c_str(), mode) < 0 && errno != EEXIST) return fail_errno(errno, "make directory " + name);
  return {};
}

Result<void> make_dirs(const std::string& path, mode_t mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    if (!part.empty()) SB_CHECK(make_dir_at(AT_FDCWD, part, mode));
    if (slash == std::string::npos) return {};
  }
}

Result<void> unlink_at(int dir, const std::string& name) {
  if (::unlinkat(dir, name.c_str(), 0) < 0 && errno != ENOENT) return fail_errno(errno, "remove " + name);
  return {};
}

Result<void> remove_dir_at(int dir, const std::string& name) {
  if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT)
    return fail_errno(errno, "remove directory " + name);
  return {};
}

namespace {

// Depth is bounded by descending with one descriptor per level only while entries are moved up: a hostile tree may be
// deeper than RLIMIT_NOFILE. Directories found below the second level are renamed into `top` and handled from there.
class TreeRemover {
 public:
  TreeRemover(int top, dev_t device) : top_(top), device_(device) {}

  Result<void> empty(int dir, int depth) {
    SB_TRY(auto names, list_dir_at(dir, "."));
    for (const auto& name : names) {
      if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) continue;
      if (errno != EISDIR && errno != EPERM) return fail_errno(errno, "remove " + name);
      SB_CHECK(remove_directory(dir, name, depth));
    }
    return {};
  }

  // Whether something was moved up since it was asked last.
  bool take_again() { return std::exchange(again_, false); }

 private:
  Result<void> remove_directory(int dir, const std::string& name, int depth) {
    if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0) return {};
    if (depth >= kDepthMax) {
      std::string lifted = ".sebring-lifted-" + std::to_string(++lifted_);
      if (::renameat(dir, name.c_str(), top_, lifted.c_str()) < 0) return fail_errno(errno, "move up " + name);
      again_ = true;
      return {};
    }
    SB_TRY(auto child, open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    struct stat status;
    if (::fstat(child.get(), &status) < 0) return fail_errno(errno, "stat " + name);
    if (status.st_dev != device_)
      return fail(Errc::conflict, "remove " + name + ": another file system is mounted there");
    SB_CHECK(empty(child.get(), depth + 1));
    return remove_dir_at(dir, name);
  }

  static constexpr int kDepthMax = 64;
  int top_;
  dev_t device_;
  int lifted_ = 0;
  bool again_ = false;
};

}  // namespace

Result<void> remove_tree_at(int dir, const std::string& name) {
  if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  auto top = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!top) return top.error().os_errno() == ENOENT ? Result<void>{} : std::unexpected(std::move(top).error());
  struct stat status;
  if (::fstat(top->get(), &status) < 0) return fail_errno(errno, "stat " + name);
  TreeRemover remover(top->get(), status.st_dev);
  do {
    SB_CHECK(remover.empty(top->get(), 0));
  } while (remover.take_again());
  return remove_dir_at(dir, name);
}

Result<std::string> read_all(int fd, std::size_t bytes_max) {
  std::string text;
  char block[16384];
  while (text.size() < bytes_max) {
    ssize_t n = ::read(fd, block, std::min(sizeof block, bytes_max - text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read");
    if (n == 0) break;
    text.append(block, static_cast<std::size_t>(n));
  }
  return text;
}

Result<std::string> read_at(int dir, const std::string& path, std::size_t bytes_max) {
  SB_TRY(auto fd, open_at(dir, path, O_RDONLY));
  auto text = read_all(fd.get(), bytes_max);
  if (!text) return std::unexpected(std::move(text).error().while_doing(path));
  return text;
}

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "write");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> write_at(int dir, const std::string& path, std::string_view text) {
  SB_TRY(auto fd, open_at(dir, path, O_WRONLY));
  if (::write(fd.get(), text.data(), text.size()) < 0)
    return fail_errno(errno, "write " + std::string(text.substr(0, 64)) + " to " + path);
  return {};
}

Result<void> put_file_at(int dir, const std::string& path, std::string_view text, mode_t mode) {
  SB_TRY(auto fd, open_at(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
  auto written = write_all(fd.get(), text);
  if (!written) return std::unexpected(std::move(written).error().while_doing(path));
  return {};
}

Result<void> replace_file_at(int dir, const std::string& name, std::string_view text, mode_t mode, bool durable) {
  std::string temporary = name + ".new";
  SB_CHECK(put_file_at(dir, temporary, text, mode));
  if (durable) {
    SB_TRY(auto fd, open_at(dir, temporary, O_RDONLY));
    if (::fsync(fd.get()) < 0) return fail_errno(errno, "fsync " + temporary);
  }
  if (::renameat(dir, temporary.c_str(), dir, name.c_str()) < 0) return fail_errno(errno, "rename to " + name);
  if (durable && dir != AT_FDCWD && ::fsync(dir) < 0) return fail_errno(errno, "fsync directory of " + name);
  return {};
}

Result<std::vector<std::string>> list_dir_at(int dir, const std::string& path) {
  SB_TRY(auto fd, open_at(dir, path, O_RDONLY | O_DIRECTORY));
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), ::closedir);
  if (!stream) return fail_errno(errno, "list " + path);
  fd.release();
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

bool exists_at(int dir, const std::string& path) {
  return ::faccessat(dir, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

std::uint64_t file_system_type(const std::string& path) {
  struct statfs status;
  return ::statfs(path.c_str(), &status) < 0 ? 0 : static_cast<std::uint64_t>(status.f_type);
}

std::string fd_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

std::string boot_id() {
  auto text = read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64);
  if (!text) return "";
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

}  // namespace sebring::os
