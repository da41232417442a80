#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/file.h"
#include "os/mount.h"
#include "slot/parts.h"

namespace sebring::slot {
namespace {

// Moves a finished tree of the skeleton onto the image's directory of that name. The image may have anything there by
// now: what is not a plain directory is replaced.
Result<void> slide(int root, const char* name) {
  auto target = os::open_inside(root, name, O_PATH | O_DIRECTORY);
  if (!target) {
    if (target.error().os_errno() != ENOENT) ::unlinkat(root, name, 0);
    if (::mkdirat(root, name, 0755) < 0 && errno != EEXIST) return fail_errno(errno, std::string("make /") + name);
    target = os::open_inside(root, name, O_PATH | O_DIRECTORY);
    if (!target) return std::unexpected(std::move(target).error());
  }
  std::string from = std::string("/") + name;
  if (::move_mount(AT_FDCWD, from.c_str(), target->get(), "", MOVE_MOUNT_T_EMPTY_PATH) < 0)
    return fail_errno(errno, "move " + from + " into the image");
  return {};
}

Result<void> size_shm(std::uint64_t bytes) {
  std::string options = "size=" + std::to_string(bytes);
  if (::mount(nullptr, "/dev/shm", nullptr, MS_REMOUNT | MS_NOSUID | MS_NODEV, options.c_str()) < 0)
    return fail_errno(errno, "size /dev/shm");
  return {};
}

// /etc is the user's: a plain file is rewritten when its text differs, and anything else is left as the user made it.
// No failure here may keep a sandbox from starting: a full disk answers EDQUOT.
void write_plain_file(int etc, const char* name, std::string_view text) {
  UniqueFd file(::openat(etc, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) return;
  auto old = os::read_all(file.get(), text.size() + 1);
  if (old && *old == text) return;
  ssize_t written = ::pwrite(file.get(), text.data(), text.size(), 0);
  if (written == static_cast<ssize_t>(text.size())) (void)!::ftruncate(file.get(), static_cast<off_t>(text.size()));
}

void write_files(int root, const Enter& order, const EnterTexts& texts) {
  if (order.files == 0) return;
  ::mkdirat(root, "etc", 0755);
  auto etc = os::open_inside(root, "etc", O_PATH | O_DIRECTORY);
  if (!etc) return;
  if (order.files & kWriteHosts) write_plain_file(etc->get(), "hosts", texts.hosts);
  if (order.files & kWriteResolv) write_plain_file(etc->get(), "resolv.conf", texts.resolv);
  if (order.files & kWriteHostname) write_plain_file(etc->get(), "hostname", std::string(order.hostname) + "\n");
  if (order.files & kWriteMachineId) write_plain_file(etc->get(), "machine-id", std::string(order.machine_id) + "\n");
}

}  // namespace

// The hot path inside. The image is mounted on top of our root, the skeleton, and becomes the root by chroot: what a
// chroot escape could reach is the skeleton, an empty read-only tmpfs. pivot_root does the same more dearly: it looks
// at every process of the machine, and taking the skeleton away waits for an RCU period.
Result<void> enter(const Enter& order, const UniqueFd& root, const EnterTexts& texts) {
  SB_CHECK(os::attach_mount(root.get(), AT_FDCWD, "/"));
  for (auto name : {"proc", "sys", "dev"}) SB_CHECK(slide(root.get(), name));
  if (::fchdir(root.get()) < 0 || ::chroot(".") < 0) return fail_errno(errno, "enter the image");
  if (::sethostname(order.hostname, std::strlen(order.hostname)) < 0) return fail_errno(errno, "set the host name");
  SB_CHECK(size_shm(order.shm_bytes));
  write_files(root.get(), order, texts);
  return {};
}

}  // namespace sebring::slot
