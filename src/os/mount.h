#pragma once
// The descriptor-based mount calls. A mount held only by its descriptor is detached: closing the last one unmounts it
// and may wait for an RCU period, so never in a path that somebody waits for.
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

// A detached copy of the mount that `path` below `dir` lies in, rooted there. "" means `dir` itself. Before Linux 6.15
// the source has to be attached in the caller's mount namespace.
Result<UniqueFd> clone_mount(int dir, const std::string& path, bool recursive = false);
// MOUNT_ATTR_ bits.
Result<void> set_mount_attributes(int mount, std::uint64_t set);
// Shows the files of a detached mount with ids shifted into `user_namespace`.
Result<void> id_map_mount(int mount, int user_namespace);
// Puts a detached mount at `path` below `dir`; "" means onto `dir` itself.
Result<void> attach_mount(int mount, int dir, const std::string& path);
Result<void> detach_mount(const std::string& path);
Result<void> make_mounts_private();

// A new instance of a file system, configured step by step.
class FileSystem {
 public:
  static Result<FileSystem> open(const char* type);
  Result<void> set(const char* key, const std::string& value);
  Result<void> set_fd(const char* key, int fd);
  // `attributes`: MOUNT_ATTR_ bits. The result is detached. The kernel's own words are added to the error.
  Result<UniqueFd> mount(std::uint64_t attributes);

 private:
  explicit FileSystem(UniqueFd context, const char* type) : context_(std::move(context)), type_(type) {}
  std::unexpected<Error> failed(int error, const std::string& doing);
  UniqueFd context_;
  const char* type_;
};

}  // namespace sebring::os
