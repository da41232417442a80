#include "image/tree_packer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "image/file_attributes.h"
#include "image/layer_name.h"
#include "os/file.h"

namespace sebring::image {
namespace {

constexpr std::size_t kPathBytesMax = 4095;

std::unexpected<Error> failed(int error, std::string_view doing, std::string_view path) {
  return fail(Error::from_errno(error, std::string(doing) + " \"" + printable(path) + "\"").with_code(Errc::internal));
}

TarEntry describe(const struct stat& status, const std::string& path) {
  TarEntry entry;
  entry.path = path;
  entry.mode = status.st_mode & 07777;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  entry.mtime = {status.st_mtim.tv_sec, static_cast<std::uint32_t>(status.st_mtim.tv_nsec)};
  return entry;
}

Result<void> find_extents(int file, TarEntry& entry) {
  auto size = static_cast<off_t>(entry.size);
  off_t at = ::lseek(file, 0, SEEK_HOLE);
  if (at >= size || at < 0) return {};  // no hole but the one behind the end
  entry.sparse = true;
  at = 0;
  while (at < size) {
    off_t data = ::lseek(file, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return failed(errno, "look for data in", entry.path);
    if (data >= size) break;
    off_t hole = ::lseek(file, data, SEEK_HOLE);
    if (hole < 0) return failed(errno, "look for holes in", entry.path);
    hole = std::min(hole, size);
    entry.extents.push_back({static_cast<std::uint64_t>(data), static_cast<std::uint64_t>(hole - data)});
    at = hole;
  }
  return {};
}

}  // namespace

Result<void> TreePacker::run() {
  SB_TRY(auto root, os::open_at(root_, ".", O_RDONLY | O_DIRECTORY));
  SB_CHECK(pack_directory(root.get(), ""));
  return tar_.finish();
}

// The directory's own entry, then what lies in it. One level of recursion per component: paths are at most 4095 bytes.
Result<void> TreePacker::pack_directory(int directory, const std::string& path) {
  struct stat status;
  if (::fstat(directory, &status) < 0) return failed(errno, "look at", path);
  TarEntry entry = describe(status, path.empty() ? "./" : path + "/");
  entry.kind = EntryKind::directory;
  auto attributes = read_attributes(directory);
  if (!attributes) return failed(attributes.error().os_errno(), "read attributes of", path);
  entry.attributes = *std::move(attributes);
  std::string last = path.substr(path.rfind('/') + 1);
  entry.literal_name = last.starts_with(".wh.");
  SB_CHECK(tar_.begin(entry));
  if (!path.empty()) {
    SB_TRY(bool opaque, opaque_.is_opaque(directory));
    if (opaque) SB_CHECK(tar_.begin(TarEntry{.path = path + "/.wh..wh..opq", .mode = 0600}));
  }
  auto names = os::list_dir_at(directory, ".");
  if (!names) return failed(names.error().os_errno(), "list", path);
  std::sort(names->begin(), names->end());
  for (const auto& name : *names) SB_CHECK(pack_entry(directory, name, path.empty() ? name : path + "/" + name));
  return {};
}

Result<void> TreePacker::pack_entry(int parent, const std::string& name, const std::string& path) {
  if (path.size() > kPathBytesMax)
    return fail(Errc::too_large,
                "\"" + printable(path) + "\" is longer than " + std::to_string(kPathBytesMax) + " bytes");
  struct stat status;
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) return failed(errno, "look at", path);
  TarEntry entry = describe(status, path);
  if (S_ISDIR(status.st_mode)) {
    auto directory = os::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) return failed(directory.error().os_errno(), "enter", path);
    return pack_directory(directory->get(), path);
  }
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0)) return pack_whiteout(name, std::move(entry));
  if (S_ISSOCK(status.st_mode) || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
    remarks_.add(S_ISSOCK(status.st_mode) ? "sockets left out" : "devices left out", path);
    return {};
  }
  entry.literal_name = name.starts_with(".wh.");
  if (status.st_nlink > 1) {
    auto [first, is_first] = first_names_.try_emplace({status.st_dev, status.st_ino}, path);
    if (!is_first) {
      entry.kind = EntryKind::hard_link;
      entry.link = first->second;
      return tar_.begin(entry);
    }
  }
  if (S_ISLNK(status.st_mode)) return pack_symbolic_link(parent, name, std::move(entry));
  if (S_ISFIFO(status.st_mode)) {
    entry.kind = EntryKind::fifo;
    return tar_.begin(entry);
  }
  return pack_file(parent, name, std::move(entry));
}

Result<void> TreePacker::pack_whiteout(const std::string& name, TarEntry entry) {
  if (name.starts_with(".wh.")) {  // nothing that the form can say; and no image has such a file to hide
    remarks_.add("whiteouts of .wh. files left out", entry.path);
    return {};
  }
  entry.path.insert(entry.path.size() - name.size(), ".wh.");
  entry.mode = 0600;
  return tar_.begin(entry);
}

Result<void> TreePacker::pack_symbolic_link(int parent, const std::string& name, TarEntry entry) {
  char target[4097];
  ssize_t n = ::readlinkat(parent, name.c_str(), target, sizeof target);
  if (n < 0) return failed(errno, "read link", entry.path);
  entry.kind = EntryKind::symbolic_link;
  entry.link.assign(target, static_cast<std::size_t>(n));
  return tar_.begin(entry);
}

Result<void> TreePacker::pack_file(int parent, const std::string& name, TarEntry entry) {
  auto file = os::open_at(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return failed(file.error().os_errno(), "open", entry.path);
  struct stat status;
  if (::fstat(file->get(), &status) < 0) return failed(errno, "look at", entry.path);
  if (!S_ISREG(status.st_mode))
    return fail(Errc::conflict, "\"" + printable(entry.path) + "\" changes while it is read");
  entry.size = static_cast<std::uint64_t>(status.st_size);
  auto attributes = read_attributes(file->get());
  if (!attributes) return failed(attributes.error().os_errno(), "read attributes of", entry.path);
  entry.attributes = *std::move(attributes);
  if (entry.size > 0) SB_CHECK(find_extents(file->get(), entry));
  SB_CHECK(tar_.begin(entry));
  return copy_data(file->get(), entry);
}

Result<void> TreePacker::copy_data(int file, const TarEntry& entry) {
  std::vector<Extent> extents = entry.extents;
  if (!entry.sparse) extents = {{0, entry.size}};
  for (auto [offset, left] : extents) {
    while (left > 0) {
      ssize_t n = ::pread(file, chunk_.get(), static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunk)),
                          static_cast<off_t>(offset));
      if (n < 0) return failed(errno, "read", entry.path);
      if (n == 0) return fail(Errc::conflict, "\"" + printable(entry.path) + "\" shrinks while it is read");
      SB_CHECK(tar_.write_data({chunk_.get(), static_cast<std::size_t>(n)}));
      offset += static_cast<std::uint64_t>(n);
      left -= static_cast<std::uint64_t>(n);
    }
  }
  return {};
}

}  // namespace sebring::image
