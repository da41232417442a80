#include "os/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace sebring::os {

Result<UniqueFd> clone_mount(int dir, const std::string& path, bool recursive) {
  unsigned flags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (path.empty() ? AT_EMPTY_PATH : 0) | (recursive ? AT_RECURSIVE : 0);
  int fd = ::open_tree(dir, path.c_str(), flags);
  if (fd < 0) return fail_errno(errno, "clone mount of " + (path.empty() ? "descriptor " + std::to_string(dir) : path));
  return UniqueFd(fd);
}

Result<void> set_mount_attributes(int mount, std::uint64_t set) {
  mount_attr attributes{.attr_set = set};
  if (::mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
    return fail_errno(errno, "set mount attributes");
  return {};
}

Result<void> id_map_mount(int mount, int user_namespace) {
  mount_attr attributes{.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = static_cast<std::uint64_t>(user_namespace)};
  if (::mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
    return fail_errno(errno, "id-map a mount");
  return {};
}

Result<void> attach_mount(int mount, int dir, const std::string& path) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (path.empty() ? MOVE_MOUNT_T_EMPTY_PATH : 0);
  if (::move_mount(mount, "", dir, path.c_str(), flags) < 0) return fail_errno(errno, "attach mount at " + path);
  return {};
}

Result<void> detach_mount(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != ENOENT && errno != EINVAL)
    return fail_errno(errno, "unmount " + path);
  return {};
}

Result<void> make_mounts_private() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return fail_errno(errno, "make mounts private");
  return {};
}

Result<FileSystem> FileSystem::open(const char* type) {
  int fd = ::fsopen(type, FSOPEN_CLOEXEC);
  if (fd < 0) return fail_errno(errno, std::string("open file system type ") + type);
  return FileSystem(UniqueFd(fd), type);
}

Result<void> FileSystem::set(const char* key, const std::string& value) {
  if (::fsconfig(context_.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0)
    return failed(errno, std::string("option ") + key + "=" + value);
  return {};
}

Result<void> FileSystem::set_fd(const char* key, int fd) {
  if (::fsconfig(context_.get(), FSCONFIG_SET_FD, key, nullptr, fd) < 0)
    return failed(errno, std::string("option ") + key);
  return {};
}

Result<UniqueFd> FileSystem::mount(std::uint64_t attributes) {
  if (::fsconfig(context_.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) return failed(errno, "create");
  int fd = ::fsmount(context_.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (fd < 0) return failed(errno, "mount");
  return UniqueFd(fd);
}

std::unexpected<Error> FileSystem::failed(int error, const std::string& doing) {
  char message[512];
  ssize_t n = ::read(context_.get(), message, sizeof message - 1);  // one entry of the context's own log: "e text"
  std::string said = n > 2 ? " (" + std::string(message + 2, static_cast<std::size_t>(n - 2)) + ")" : "";
  while (said.size() > 2 && said[said.size() - 2] == '\n') said.erase(said.size() - 2, 1);
  return fail_errno(error, std::string(type_) + ": " + doing + said);
}

}  // namespace sebring::os
