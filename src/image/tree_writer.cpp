#include "image/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "image/file_attributes.h"
#include "os/file.h"

namespace sebring::image {
namespace {

constexpr std::uint64_t kIds = 65536;
constexpr std::uint32_t kNobody = 65534;

std::unexpected<Error> refused(std::string_view path, std::string_view why) {
  return fail(Errc::unprocessable, "\"" + printable(path) + "\": " + std::string(why));
}

std::unexpected<Error> failed(int error, std::string_view doing, std::string_view path) {
  auto result = Error::from_errno(error, std::string(doing) + " \"" + printable(path) + "\"");
  if (error == ENOSPC || error == EDQUOT) return fail(std::move(result).with_code(Errc::exhausted));
  if (error == ENOTDIR || error == ELOOP || error == ENOENT || error == EISDIR || error == EEXIST)
    return fail(std::move(result).with_code(Errc::unprocessable));
  return fail(std::move(result).with_code(Errc::internal));
}

timespec time_of(const FileTime& time) {
  return {static_cast<time_t>(time.seconds), static_cast<long>(time.nanoseconds)};
}

Result<void> set_time(int dir, const char* name, const FileTime& time, std::string_view path) {
  timespec times[2] = {time_of(time), time_of(time)};
  int result = name ? ::utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) : ::futimens(dir, times);
  if (result < 0) return failed(errno, "set the time of", path);
  return {};
}

bool is_whiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0); }

}  // namespace

TreeWriter::Metadata TreeWriter::metadata_of(const TarEntry& entry) {
  Metadata metadata{.mode = entry.mode, .mtime = entry.mtime};
  if (entry.uid >= kIds || entry.gid >= kIds) remarks_.add("files of an id above 65535 given to nobody", entry.path);
  metadata.uid = entry.uid < kIds ? static_cast<std::uint32_t>(entry.uid) : kNobody;
  metadata.gid = entry.gid < kIds ? static_cast<std::uint32_t>(entry.gid) : kNobody;
  if (entry.text_acls) remarks_.add("access lists in text form left out", entry.path);
  for (const auto& [name, value] : entry.attributes) {
    auto taken = attribute_to_set(name, value, options_.own_archive);
    if (taken)
      metadata.attributes.emplace_back(name, *std::move(taken));
    else
      remarks_.add("extended attributes left out", printable(entry.path) + ": " + name);
  }
  return metadata;
}

Result<void> TreeWriter::add(const TarEntry& entry, TarReader& reader) {
  Whiteouts whiteouts = Whiteouts::everywhere;
  if (options_.own_archive) whiteouts = entry.literal_name ? Whiteouts::nowhere : Whiteouts::last;
  SB_TRY(auto name, parse_layer_name(entry.path, options_.names, whiteouts));
  switch (name.kind) {
    case LayerName::Kind::root:
      if (entry.kind != EntryKind::directory) return refused(entry.path, "the root is not a directory");
      directories_[""] = metadata_of(entry);
      return {};
    case LayerName::Kind::ignored:
      remarks_.add("notes of other programs left out", entry.path);
      return {};
    case LayerName::Kind::whiteout:
    case LayerName::Kind::opaque:
      if (entry.kind != EntryKind::file && entry.kind != EntryKind::hard_link)
        return refused(entry.path, "a whiteout is not a file");
      return name.kind == LayerName::Kind::opaque ? add_opaque(name) : add_whiteout(name, entry);
    case LayerName::Kind::plain:
      break;
  }
  switch (entry.kind) {
    case EntryKind::file:
      return add_file(name, entry, reader);
    case EntryKind::directory:
      return add_directory(name, entry);
    case EntryKind::symbolic_link:
      return add_symbolic_link(name, entry);
    case EntryKind::hard_link:
      return add_hard_link(name, entry);
    case EntryKind::fifo:
      return add_fifo(name, entry);
    case EntryKind::device:
      remarks_.add("devices left out", entry.path);
      return {};
  }
  return fail(Errc::internal, "an entry of no kind");
}

Result<void> TreeWriter::add_directory(const LayerName& name, const TarEntry& entry) {
  std::string path = name.path();
  SB_TRY(int parent, open_parent(name.parent));
  struct stat status;
  if (::mkdirat(parent, name.name.c_str(), 0700) < 0) {
    if (errno != EEXIST) return failed(errno, "make directory", path);
    if (::fstatat(parent, name.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) return failed(errno, "look at", path);
    if (!S_ISDIR(status.st_mode)) {
      bool hides = is_whiteout(status);
      SB_CHECK(make_room(parent, name));
      if (::mkdirat(parent, name.name.c_str(), 0700) < 0) return failed(errno, "make directory", path);
      if (hides) {
        SB_TRY(auto made, os::open_at(parent, name.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        SB_CHECK(opaque_.set(made.get()));
      }
    }
  }
  directories_[path] = metadata_of(entry);
  return {};
}

Result<void> TreeWriter::add_file(const LayerName& name, const TarEntry& entry, TarReader& reader) {
  std::string path = name.path();
  SB_TRY(int parent, open_parent(name.parent));
  Metadata metadata = metadata_of(entry);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd file(::openat(parent, name.name.c_str(), kFlags, metadata.mode & 0777));
  if (!file && errno == EEXIST) {
    SB_CHECK(make_room(parent, name));
    file.reset(::openat(parent, name.name.c_str(), kFlags, metadata.mode & 0777));
  }
  if (!file) return failed(errno, "make", path);
  SB_CHECK(write_data(file.get(), entry, reader));
  if ((metadata.uid || metadata.gid) && ::fchown(file.get(), metadata.uid, metadata.gid) < 0)
    return failed(errno, "give away", path);
  if ((metadata.mode & 07000) && ::fchmod(file.get(), metadata.mode) < 0) return failed(errno, "set the mode of", path);
  SB_CHECK(set_attributes(file.get(), metadata, path));
  return set_time(file.get(), nullptr, metadata.mtime, path);
}

Result<void> TreeWriter::write_data(int file, const TarEntry& entry, TarReader& reader) {
  std::uint64_t end = 0;
  for (;;) {
    SB_TRY(auto piece, reader.piece());
    if (piece.bytes.empty()) break;
    bytes_ += piece.bytes.size();
    while (!piece.bytes.empty()) {
      ssize_t n = ::pwrite(file, piece.bytes.data(), piece.bytes.size(), static_cast<off_t>(piece.offset));
      if (n < 0) return failed(errno, "write", entry.path);
      piece.bytes.remove_prefix(static_cast<std::size_t>(n));
      piece.offset += static_cast<std::uint64_t>(n);
    }
    end = piece.offset;
  }
  if (end < entry.size && ::ftruncate(file, static_cast<off_t>(entry.size)) < 0)
    return failed(errno, "make a hole in", entry.path);
  return {};
}

Result<void> TreeWriter::add_symbolic_link(const LayerName& name, const TarEntry& entry) {
  std::string path = name.path();
  if (entry.link.empty() || entry.link.size() > 4095)
    return refused(entry.path, "a link's target is empty or too long");
  SB_TRY(int parent, open_parent(name.parent));
  Metadata metadata = metadata_of(entry);
  if (::symlinkat(entry.link.c_str(), parent, name.name.c_str()) < 0) {
    if (errno != EEXIST) return failed(errno, "make link", path);
    SB_CHECK(make_room(parent, name));
    if (::symlinkat(entry.link.c_str(), parent, name.name.c_str()) < 0) return failed(errno, "make link", path);
  }
  if ((metadata.uid || metadata.gid) &&
      ::fchownat(parent, name.name.c_str(), metadata.uid, metadata.gid, AT_SYMLINK_NOFOLLOW) < 0)
    return failed(errno, "give away", path);
  if (!metadata.attributes.empty()) remarks_.add("extended attributes of links left out", path);
  return set_time(parent, name.name.c_str(), metadata.mtime, path);
}

// The target is looked up as a name below the root, its parents without following links, itself neither: a link to a
// link is a second name of the link.
Result<void> TreeWriter::add_hard_link(const LayerName& name, const TarEntry& entry) {
  SB_TRY(auto target, parse_layer_name(entry.link, options_.names,
                                       options_.own_archive ? Whiteouts::nowhere : Whiteouts::everywhere));
  if (target.kind != LayerName::Kind::plain) return refused(entry.path, "links to what is no plain name");
  if (target.path() == name.path()) return refused(entry.path, "links to itself");
  SB_TRY(int parent, open_parent(name.parent));
  auto target_parent = os::open_inside(root_, target.parent.empty() ? "." : target.parent, O_PATH | O_DIRECTORY);
  if (!target_parent) return failed(target_parent.error().os_errno(), "link to", entry.link);
  struct stat status;
  if (::fstatat(target_parent->get(), target.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0)
    return failed(errno, "link to", entry.link);
  if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode) && !S_ISFIFO(status.st_mode))
    return refused(entry.path, "links to something that is no file");
  auto link = [&] { return ::linkat(target_parent->get(), target.name.c_str(), parent, name.name.c_str(), 0); };
  if (link() == 0) return {};
  if (errno != EEXIST) return failed(errno, "link", entry.path);
  SB_CHECK(make_room(parent, name));
  if (link() < 0) return failed(errno, "link", entry.path);
  return {};
}

Result<void> TreeWriter::add_fifo(const LayerName& name, const TarEntry& entry) {
  std::string path = name.path();
  SB_TRY(int parent, open_parent(name.parent));
  Metadata metadata = metadata_of(entry);
  if (::mknodat(parent, name.name.c_str(), S_IFIFO | (metadata.mode & 0777), 0) < 0) {
    if (errno != EEXIST) return failed(errno, "make fifo", path);
    SB_CHECK(make_room(parent, name));
    if (::mknodat(parent, name.name.c_str(), S_IFIFO | (metadata.mode & 0777), 0) < 0)
      return failed(errno, "make fifo", path);
  }
  if (::fchownat(parent, name.name.c_str(), metadata.uid, metadata.gid, AT_SYMLINK_NOFOLLOW) < 0)
    return failed(errno, "give away", path);
  // Just made by us in a directory that only we write: no link can have taken its place.
  if ((metadata.mode & 07000) && ::fchmodat(parent, name.name.c_str(), metadata.mode, 0) < 0)
    return failed(errno, "set the mode of", path);
  return set_time(parent, name.name.c_str(), metadata.mtime, path);
}

// overlayfs' form is a device 0:0, which a user namespace's root may make. A whiteout only concerns lower layers: what
// this layer itself has at the name stays, and a directory there loses only what lies below it.
Result<void> TreeWriter::add_whiteout(const LayerName& name, const TarEntry& entry) {
  std::string path = name.path();
  SB_TRY(int parent, open_parent(name.parent));
  if (::mknodat(parent, name.name.c_str(), S_IFCHR, makedev(0, 0)) == 0)
    return set_time(parent, name.name.c_str(), entry.mtime, path);
  if (errno != EEXIST) return failed(errno, "make whiteout", path);
  UniqueFd directory(::openat(parent, name.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (directory) return opaque_.set(directory.get());
  if (errno != ENOTDIR && errno != ELOOP) return failed(errno, "look at", path);
  return {};
}

Result<void> TreeWriter::add_opaque(const LayerName& name) {
  if (name.parent.empty()) return refused(".wh..wh..opq", "the root cannot hide the layers below it");
  SB_TRY(int parent, open_parent(name.parent));
  SB_TRY(auto directory, os::open_at(parent, ".", O_RDONLY | O_DIRECTORY));
  return opaque_.set(directory.get());
}

Result<void> TreeWriter::make_room(int parent, const LayerName& name) {
  if (::unlinkat(parent, name.name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return failed(errno, "replace", name.path());
  // Descriptors of directories inside would outlive them. The one just in use must stay: it is no part of the tree.
  std::string inside = name.path();
  std::erase_if(parents_, [&](const CachedParent& cached) {
    return cached.path == inside || cached.path.starts_with(inside + "/");
  });
  auto removed = os::remove_tree_at(parent, name.name);
  if (!removed) return failed(removed.error().os_errno(), "replace", name.path());
  return {};
}

Result<int> TreeWriter::open_parent(const std::string& path) {
  if (path.empty()) return root_;
  for (std::size_t i = parents_.size(); i-- > 0;) {
    if (parents_[i].path != path) continue;
    std::rotate(parents_.begin() + static_cast<std::ptrdiff_t>(i),
                parents_.begin() + static_cast<std::ptrdiff_t>(i) + 1, parents_.end());
    return parents_.back().fd.get();
  }
  auto found = os::open_inside(root_, path, O_PATH | O_DIRECTORY);
  if (!found) {
    int error = found.error().os_errno();
    if (error != ENOENT && error != ENOTDIR && error != ELOOP) return failed(error, "enter", path);
    found = make_parents(path);
    if (!found) return std::unexpected(std::move(found).error());
  }
  if (parents_.size() == kCachedParents) parents_.erase(parents_.begin());
  parents_.push_back({path, *std::move(found)});
  return parents_.back().fd.get();
}

Result<UniqueFd> TreeWriter::make_parents(const std::string& path) {
  SB_TRY(auto at, os::open_at(root_, ".", O_PATH | O_DIRECTORY));
  for (std::size_t slash, begin = 0; begin <= path.size(); begin = slash + 1) {
    slash = std::min(path.find('/', begin), path.size());
    SB_TRY(at, enter_or_make(at.get(), path.substr(begin, slash - begin), path.substr(0, slash)));
  }
  return at;
}

Result<UniqueFd> TreeWriter::enter_or_make(int at, const std::string& component, const std::string& path) {
  bool made = ::mkdirat(at, component.c_str(), 0700) == 0;
  if (!made) {
    if (errno != EEXIST) return failed(errno, "make directory", path);
    struct stat status;
    if (::fstatat(at, component.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) return failed(errno, "look at", path);
    if (S_ISLNK(status.st_mode)) return refused(path, "a link is used as a directory");
    if (!S_ISDIR(status.st_mode) && !is_whiteout(status)) return refused(path, "a file is used as a directory");
    if (is_whiteout(status)) {
      if (::unlinkat(at, component.c_str(), 0) < 0 || ::mkdirat(at, component.c_str(), 0700) < 0)
        return failed(errno, "replace the whiteout", path);
      SB_TRY(auto directory, os::open_at(at, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      SB_CHECK(opaque_.set(directory.get()));
      made = true;
    }
  }
  if (made) directories_[path] = Metadata{};
  return os::open_at(at, component, O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> TreeWriter::set_attributes(int file, const Metadata& metadata, const std::string& path) {
  for (const auto& [name, value] : metadata.attributes) {
    auto set = set_attribute(file, name, value);
    if (set) continue;
    int error = set.error().os_errno();
    // Access lists of ids that do not exist here, or a file system without them.
    if (error != EINVAL && error != EOPNOTSUPP) return failed(error, "set attribute " + printable(name) + " of", path);
    remarks_.add("extended attributes refused by the file system", printable(path) + ": " + name);
  }
  return {};
}

Result<void> TreeWriter::finish_directory(const std::string& path, const Metadata& metadata) {
  auto directory = os::open_inside(root_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
  if (!directory) {
    int error = directory.error().os_errno();
    // A later entry has put something else there.
    if (error == ENOENT || error == ENOTDIR || error == ELOOP) return {};
    return failed(error, "enter", path);
  }
  if (::fchown(directory->get(), metadata.uid, metadata.gid) < 0) return failed(errno, "give away", path);
  if (::fchmod(directory->get(), metadata.mode) < 0) return failed(errno, "set the mode of", path);
  SB_CHECK(set_attributes(directory->get(), metadata, path));
  return set_time(directory->get(), nullptr, metadata.mtime, path);
}

Result<void> TreeWriter::finish() {
  parents_.clear();
  std::vector<const std::string*> paths;
  paths.reserve(directories_.size());
  for (const auto& [path, metadata] : directories_) paths.push_back(&path);
  std::sort(paths.begin(), paths.end(), [](const auto* a, const auto* b) { return *a < *b; });
  for (const auto* path : paths) SB_CHECK(finish_directory(*path, directories_[*path]));
  return {};
}

}  // namespace sebring::image
