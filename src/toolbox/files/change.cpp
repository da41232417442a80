// POST /files/folder, /files/move, /files/permissions and DELETE /files.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/random.h"
#include "toolbox/files/file_error.h"
#include "toolbox/files/operations.h"
#include "toolbox/files/tree.h"
#include "toolbox/identity.h"

namespace sebring::toolbox::files {
namespace {

constexpr unsigned kFolderMode = 0755;

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Between two file systems (a volume, /dev/shm): a complete copy beside the destination first, then the change of
// names.
Result<void> move_by_copy(const std::string& source, const std::string& destination) {
  const std::string staged = destination.substr(0, destination.rfind('/') + 1) + ".sebring-move-" + random_hex(6);
  auto copied = copy_tree(source, staged);
  if (copied && ::renameat2(AT_FDCWD, staged.c_str(), AT_FDCWD, destination.c_str(), RENAME_NOREPLACE) < 0) {
    copied = fail_file(errno, "move to " + destination);
  }
  if (!copied) {
    (void)remove_tree(staged);
    return copied;
  }
  return remove_tree(source);
}

}  // namespace

Result<void> make_folder(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  SB_TRY(const unsigned mode, mode_parameter(request, kFolderMode));
  struct stat status{};
  const bool existed = ::stat(path.c_str(), &status) == 0;
  const std::size_t slash = without_slashes(path).rfind('/');
  if (!existed && slash != std::string::npos && slash > 0)
    SB_CHECK(make_directories(path.substr(0, slash), kFolderMode));
  SB_CHECK(make_directories(path, mode));
  responder.respond({.status = 201, .headers = {}, .body = {}});
  return {};
}

Result<void> remove(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(std::string path, path_parameter(request, "path"));
  path = without_slashes(path);
  if (path == "/" || path.ends_with("/.") || path.ends_with("/..")) {
    return fail(Errc::invalid_argument, "can not remove " + path, "INVALID_FILE_PATH");
  }
  const std::string_view recursive = request.parameter("recursive").value_or("");
  const bool below_too =
      recursive == "true" || recursive == "1" || recursive == "t" || recursive == "True" || recursive == "TRUE";
  struct stat status{};
  if (::lstat(path.c_str(), &status) < 0) return fail_file(errno, path);
  if (S_ISDIR(status.st_mode) && !below_too) {
    return fail(Errc::invalid_argument, "cannot delete directory " + path + " without the recursive flag");
  }
  SB_CHECK(remove_tree(path));
  responder.respond({.status = 204, .headers = {}, .body = {}});
  return {};
}

Result<void> move(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(std::string source, path_parameter(request, "source"));
  SB_TRY(std::string destination, path_parameter(request, "destination"));
  source = without_slashes(std::move(source));
  destination = without_slashes(std::move(destination));
  struct stat status{};
  if (::lstat(source.c_str(), &status) < 0) return fail_file(errno, source);
  const std::string parent = destination.substr(0, std::max<std::size_t>(destination.rfind('/'), 1));
  if (::stat(parent.c_str(), &status) < 0) return fail_file(errno, parent);
  if (::renameat2(AT_FDCWD, source.c_str(), AT_FDCWD, destination.c_str(), RENAME_NOREPLACE) < 0) {
    int error = errno;
    if (error == EINVAL && ::lstat(destination.c_str(), &status) < 0 && errno == ENOENT) {
      // A file system without RENAME_NOREPLACE, or a directory to be moved into itself: the plain call knows.
      error = ::rename(source.c_str(), destination.c_str()) == 0 ? 0 : errno;
    }
    if (error == EEXIST || error == ENOTEMPTY) {
      return fail(Errc::conflict, "destination already exists: " + destination);
    }
    if (error == EXDEV) {
      SB_CHECK(move_by_copy(source, destination));
    } else if (error != 0) {
      return fail_file(error, "move " + source + " to " + destination);
    }
  }
  responder.respond({});
  return {};
}

Result<void> set_permissions(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  const std::string owner(request.parameter("owner").value_or(""));
  const std::string group(request.parameter("group").value_or(""));
  const bool has_mode = !request.parameter("mode").value_or("").empty();
  SB_TRY(const unsigned mode, mode_parameter(request, 0));
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  if (!owner.empty()) {
    const auto found = find_uid(owner, read_image_file("/etc/passwd"));
    if (!found) return fail(Errc::invalid_argument, "invalid owner: " + owner);
    uid = *found;
  }
  if (!group.empty()) {
    const auto found = find_gid(group, read_image_file("/etc/group"));
    if (!found) return fail(Errc::invalid_argument, "invalid group: " + group);
    gid = *found;
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0) return fail_file(errno, path);
  // The owner first: a change of it takes set-id bits away.
  if ((!owner.empty() || !group.empty()) && ::chown(path.c_str(), uid, gid) < 0) {
    return fail_file(errno, "change owner of " + path);
  }
  if (has_mode && ::chmod(path.c_str(), mode) < 0) return fail_file(errno, "change mode of " + path);
  responder.respond({});
  return {};
}

}  // namespace sebring::toolbox::files
