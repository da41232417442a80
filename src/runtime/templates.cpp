#include "runtime/templates.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "os/file.h"
#include "os/mount.h"

namespace sebring::runtime {
namespace {

constexpr std::uint64_t kShut = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

Result<UniqueFd> new_tmpfs(const char* size) {
  SB_TRY(auto context, os::FileSystem::open("tmpfs"));
  SB_CHECK(context.set("mode", "755"));
  SB_CHECK(context.set("size", size));
  return context.mount(0);
}

// modes are set behind the making, since the process's umask takes part in that.
Result<void> make_device(int dev, const char* name, unsigned major, unsigned minor) {
  if (::mknodat(dev, name, S_IFCHR | 0666, makedev(major, minor)) < 0 || ::fchmodat(dev, name, 0666, 0) < 0)
    return fail_errno(errno, std::string("make device ") + name);
  return {};
}

// One read-only tmpfs for all sandboxes: nobody can create anything in /dev, and it is one superblock, not thousands.
Result<void> fill_dev(int dev) {
  struct Device {
    const char* name;
    unsigned major, minor;
  } devices[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
  for (auto& device : devices) SB_CHECK(make_device(dev, device.name, device.major, device.minor));
  for (auto name : {"pts", "shm", "mqueue"}) SB_CHECK(os::make_dir_at(dev, name, 0755));
  struct Link {
    const char *name, *target;
  } links[] = {{"ptmx", "pts/ptmx"},
               {"fd", "/proc/self/fd"},
               {"stdin", "/proc/self/fd/0"},
               {"stdout", "/proc/self/fd/1"},
               {"stderr", "/proc/self/fd/2"}};
  for (auto& link : links)
    if (::symlinkat(link.target, dev, link.name) < 0) return fail_errno(errno, std::string("make link ") + link.name);
  return {};
}

}  // namespace

Result<Templates> Templates::make(const std::string& place) {
  SB_CHECK(os::make_dirs(place, 0700));
  Templates templates(place);
  SB_TRY(auto area, new_tmpfs("1m"));
  SB_CHECK(os::attach_mount(area.get(), AT_FDCWD, place));
  SB_TRY(templates.area_, os::open_dir(place));
  for (auto name : {"dev", "skeleton", "root", "pool", "views"})
    SB_CHECK(os::make_dir_at(templates.area_.get(), name, 0755));

  SB_TRY(auto dev, new_tmpfs("64k"));
  SB_CHECK(fill_dev(dev.get()));
  SB_CHECK(os::set_mount_attributes(dev.get(), kShut));
  SB_CHECK(os::attach_mount(dev.get(), templates.area_.get(), "dev"));

  SB_TRY(auto skeleton, new_tmpfs("16k"));
  for (auto name : {"proc", "sys", "dev", "own", "empty"}) SB_CHECK(os::make_dir_at(skeleton.get(), name, 0755));
  SB_CHECK(os::set_mount_attributes(skeleton.get(), kShut));
  SB_CHECK(os::attach_mount(skeleton.get(), templates.area_.get(), "skeleton"));
  return templates;
}

Result<UniqueFd> Templates::copy_dev() const { return os::clone_mount(area_.get(), "dev"); }
Result<UniqueFd> Templates::copy_skeleton() const { return os::clone_mount(area_.get(), "skeleton"); }

}  // namespace sebring::runtime
