#include "toolbox/files/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include "base/random.h"
#include "toolbox/files/file_error.h"

namespace sebring::toolbox::files {
namespace {

// Open directories on the way down; deeper trees than this are rare, and descriptors are limited.
constexpr int kLevelsMax = 256;
constexpr std::size_t kCopyBytes = 1 << 20;
// A copy holds two directories open for each level, and some stack.
constexpr int kCopyLevelsMax = 2000;

UniqueFd open_below(int parent, const char* name) {
  return UniqueFd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
}

// The first eight bytes as a number that sorts as they do.
std::uint64_t leading_bytes(std::string_view name) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, name.data(), std::min(name.size(), sizeof bytes));
  return std::endian::native == std::endian::little ? std::byteswap(bytes) : bytes;
}

// Compares numbers where it can: in a large directory the sorting costs as much as the reading.
void sort_names(std::vector<std::string>& names) {
  struct Key {
    std::uint64_t bytes;
    std::size_t index;
  };
  std::vector<Key> keys;
  keys.reserve(names.size());
  for (const std::string& name : names) keys.push_back({leading_bytes(name), keys.size()});
  std::sort(keys.begin(), keys.end(), [&names](const Key& a, const Key& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : names[a.index] < names[b.index];
  });
  std::vector<std::string> sorted;
  sorted.reserve(names.size());
  for (const Key& key : keys) sorted.push_back(std::move(names[key.index]));
  names = std::move(sorted);
}

// False when `visit` has had enough.
bool walk_below(int directory, const std::vector<std::string>& names, std::string& path, int level,
                const std::function<Visit(const Visited&)>& visit) {
  const std::size_t length = path.size();
  for (const std::string& name : names) {
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
    if (!path.empty() && path.back() != '/') path += '/';
    path += name;
    const Visit next = visit({directory, name, path, status, level});
    if (next == Visit::stop) return false;
    if (next == Visit::go_on && S_ISDIR(status.st_mode) && level < kLevelsMax) {
      const UniqueFd below = open_below(directory, name.c_str());
      const auto names_below = below ? read_names(below.get()) : Result<std::vector<std::string>>();
      if (names_below && !walk_below(below.get(), *names_below, path, level + 1, visit)) return false;
    }
    path.resize(length);
  }
  return true;
}

// One removal: `top` is where directories go that lie too deep; they are removed from there in a later pass.
struct Removal {
  int top;
  int moved = 0;
};

Result<void> remove_below(Removal& removal, int directory, const std::string& path, int level);

Result<void> move_up(Removal& removal, int parent, const char* name, const std::string& path) {
  const std::string moved = ".sebring-removing-" + random_hex(6);
  if (::renameat(parent, name, removal.top, moved.c_str()) < 0) return fail_file(errno, "remove " + path);
  ++removal.moved;
  return {};
}

Result<void> remove_entry(Removal& removal, int parent, const std::string& name, const std::string& path, int level) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_file(errno, "remove " + path);
  const int unlink_error = errno;
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  if (errno == ENOTDIR) return fail_file(unlink_error, "remove " + path);
  if (errno != ENOTEMPTY && errno != EEXIST) return fail_file(errno, "remove " + path);
  if (level >= kLevelsMax) return move_up(removal, parent, name.c_str(), path);
  UniqueFd below = open_below(parent, name.c_str());
  if (!below) return fail_file(errno, "remove " + path);
  SB_CHECK(remove_below(removal, below.get(), path, level + 1));
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) return fail_file(errno, "remove " + path);
  return {};
}

Result<void> remove_below(Removal& removal, int directory, const std::string& path, int level) {
  SB_TRY(const std::vector<std::string> names, read_names(directory));
  for (const std::string& name : names) SB_CHECK(remove_entry(removal, directory, name, path + "/" + name, level));
  return {};
}

Result<void> copy_content(int from, int to, const std::string& path) {
  // In the kernel where it can (a reflink on btrfs), by hand where it can not.
  for (;;) {
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, 1 << 30, 0);
    if (copied == 0) return {};
    if (copied < 0) break;
  }
  if (errno == ENOSPC || errno == EDQUOT) return fail_file(errno, "copy " + path);
  auto buffer = std::make_unique<char[]>(kCopyBytes);
  for (;;) {
    const ssize_t got = ::read(from, buffer.get(), kCopyBytes);
    if (got == 0) return {};
    if (got < 0) return fail_file(errno, "read " + path);
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = ::write(to, buffer.get() + done, static_cast<std::size_t>(got - done));
      if (put < 0) return fail_file(errno, "write copy of " + path);
      done += put;
    }
  }
}

// Owner first, since a change of it takes set-id bits away. Who may not give files away keeps them as his own, without
// those bits.
void copy_attributes(int file, const struct stat& status) {
  const bool same_owner = ::fchown(file, status.st_uid, status.st_gid) == 0;
  ::fchmod(file, status.st_mode & (same_owner ? 07777 : 01777));
  const timespec times[2] = {status.st_atim, status.st_mtim};
  ::futimens(file, times);
}

Result<void> copy_entry(int from, int to, const std::string& name, const std::string& new_name, const std::string& path,
                        int level);

Result<void> copy_directory(int from, int to, const std::string& name, const std::string& new_name,
                            const std::string& path, const struct stat& status, int level) {
  if (level > kCopyLevelsMax) return fail(Errc::invalid_argument, "can not copy " + path + ": it lies too deep");
  if (::mkdirat(to, new_name.c_str(), 0700) < 0) return fail_file(errno, "make the copy of " + path);
  const UniqueFd source = open_below(from, name.c_str());
  const UniqueFd target = open_below(to, new_name.c_str());
  if (!source || !target) return fail_file(errno, "open " + path);
  SB_TRY(const std::vector<std::string> names, read_names(source.get()));
  for (const std::string& below : names)
    SB_CHECK(copy_entry(source.get(), target.get(), below, below, path + "/" + below, level + 1));
  copy_attributes(target.get(), status);
  return {};
}

Result<void> copy_file(int from, int to, const std::string& name, const std::string& new_name, const std::string& path,
                       const struct stat& status) {
  UniqueFd source(::openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!source) return fail_file(errno, "open " + path);
  UniqueFd target(::openat(to, new_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) return fail_file(errno, "make the copy of " + path);
  SB_CHECK(copy_content(source.get(), target.get(), path));
  copy_attributes(target.get(), status);
  return {};
}

// A link, pipe, socket or device: made anew, with nothing in it to copy.
Result<void> copy_special(int from, int to, const std::string& name, const std::string& new_name,
                          const std::string& path, const struct stat& status) {
  if (S_ISLNK(status.st_mode)) {
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlinkat(from, name.c_str(), target.data(), target.size() - 1);
    if (length < 0) return fail_file(errno, "read link " + path);
    if (::symlinkat(target.c_str(), to, new_name.c_str()) < 0) return fail_file(errno, "copy link " + path);
  } else {
    if (::mknodat(to, new_name.c_str(), (status.st_mode & S_IFMT) | 0600, status.st_rdev) < 0)
      return fail_file(errno, "copy " + path);
    (void)::fchmodat(to, new_name.c_str(), status.st_mode & 0777, 0);
  }
  (void)::fchownat(to, new_name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW);
  return {};
}

Result<void> copy_entry(int from, int to, const std::string& name, const std::string& new_name, const std::string& path,
                        int level) {
  struct stat status{};
  if (::fstatat(from, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) return fail_file(errno, "look at " + path);
  if (S_ISDIR(status.st_mode)) return copy_directory(from, to, name, new_name, path, status, level);
  if (S_ISREG(status.st_mode)) return copy_file(from, to, name, new_name, path, status);
  return copy_special(from, to, name, new_name, path, status);
}

}  // namespace

Result<std::vector<std::string>> read_names(int directory) {
  // A description of its own: the caller's keeps its position.
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return fail_file(errno, "open a directory");
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), &::closedir);
  if (!stream) {
    ::close(copy);
    return fail_file(errno, "read a directory");
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return fail_file(errno, "read a directory");
  sort_names(names);
  return names;
}

Result<UniqueFd> open_directory(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!directory) return fail_file(errno, path);
  return directory;
}

Result<void> walk(const std::string& root, std::string_view shown_root,
                  const std::function<Visit(const Visited&)>& visit) {
  SB_TRY(const UniqueFd directory, open_directory(root));
  SB_TRY(const std::vector<std::string> names, read_names(directory.get()));
  std::string path(shown_root);
  walk_below(directory.get(), names, path, 1, visit);
  return {};
}

Result<void> remove_tree(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) return fail_file(errno, path);
  if (!S_ISDIR(status.st_mode)) {
    if (::unlink(path.c_str()) < 0) return fail_file(errno, path);
    return {};
  }
  UniqueFd top = open_below(AT_FDCWD, path.c_str());
  if (!top && (errno != EACCES || ::rmdir(path.c_str()) < 0)) return fail_file(errno, path);
  if (!top) return {};
  Removal removal{.top = top.get()};
  do {
    removal.moved = 0;
    SB_CHECK(remove_below(removal, top.get(), path, 1));
  } while (removal.moved > 0);
  if (::rmdir(path.c_str()) < 0) return fail_file(errno, path);
  return {};
}

Result<void> copy_tree(const std::string& from, const std::string& to) {
  return copy_entry(AT_FDCWD, AT_FDCWD, from, to, from, 1);
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return {};
    return fail_file(ENOTDIR, path);
  }
  if (errno != ENOENT) return fail_file(errno, path);
  std::string parent = path;
  while (parent.size() > 1 && parent.back() == '/') parent.pop_back();
  const std::size_t slash = parent.rfind('/');
  if (slash != std::string::npos && slash > 0) SB_CHECK(make_directories(parent.substr(0, slash), mode));
  if (::mkdir(path.c_str(), mode) == 0) {
    ::chmod(path.c_str(), mode);
    return {};
  }
  // Another request may have been faster.
  if (errno == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  return fail_file(errno == EEXIST ? ENOTDIR : errno, path);
}

}  // namespace sebring::toolbox::files
