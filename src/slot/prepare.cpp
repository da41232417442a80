#include <fcntl.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "os/file.h"
#include "os/link.h"
#include "os/mount.h"
#include "slot/parts.h"

namespace sebring::slot {
namespace {

constexpr int kLoopbackIndex = 1;
constexpr int kLinkIndex = 2;  // given to the link by the runner

constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;

// Of the kernel's files, those that tell about or change more than this sandbox.
constexpr const char* kNullFiles[] = {"proc/kcore",       "proc/keys",       "proc/timer_list",    "proc/interrupts",
                                      "proc/sched_debug", "proc/kallsyms",   "proc/latency_stats", "proc/timer_stats",
                                      "proc/kpagecount",  "proc/kpageflags", "proc/kpagecgroup",   "proc/kmsg",
                                      "proc/vmallocinfo", "proc/slabinfo"};
constexpr const char* kEmptyDirectories[] = {"proc/acpi",
                                             "proc/scsi",
                                             "proc/asound",
                                             "sys/firmware",
                                             "sys/kernel/debug",
                                             "sys/kernel/tracing",
                                             "sys/kernel/security",
                                             "sys/devices/virtual/dmi",
                                             "sys/devices/virtual/powercap"};
constexpr const char* kReadOnly[] = {"proc/sys", "proc/irq", "proc/bus", "proc/fs", "proc/sysrq-trigger"};

struct OwnFile {
  const char* source;
  const char* target;
};
constexpr OwnFile kOwn[] = {{"own/meminfo", "proc/meminfo"},
                            {"own/cpuinfo", "proc/cpuinfo"},
                            {"own/cpus", "sys/devices/system/cpu/online"},
                            {"own/cpus", "sys/devices/system/cpu/present"},
                            {"own/cpus", "sys/devices/system/cpu/possible"}};

Result<void> set_up_network(const Prepare& order) {
  SB_TRY(auto route, os::Netlink::open(NETLINK_ROUTE));
  os::add_link_up(route, kLoopbackIndex);
  if (order.address) {
    os::add_link_up(route, kLinkIndex);
    os::add_point_to_point_address(route, kLinkIndex, order.address, order.gateway);
    os::add_default_route(route, kLinkIndex, order.gateway);
  }
  return route.run("set up the network inside");
}

Result<void> mount_at(const char* type, const char* target, unsigned long flags, const char* options) {
  if (::mount(type, target, type, flags, options) < 0)
    return fail_errno(errno, std::string("mount ") + type + " on " + target);
  return {};
}

// proc and sysfs need an unmasked instance visible in this mount namespace: before the host's tree is dropped.
Result<void> mount_kernel_file_systems() {
  SB_CHECK(mount_at("proc", "proc", kQuiet, nullptr));
  SB_CHECK(mount_at("sysfs", "sys", kQuiet | MS_RDONLY, nullptr));
  SB_CHECK(mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5,max=256"));
  SB_CHECK(mount_at("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "size=64m,mode=1777"));
  return mount_at("mqueue", "dev/mqueue", kQuiet, nullptr);
}

// What masks are made of must be what it seems: our own tmpfs, the null device.
Result<void> verify_mask_sources() {
  struct stat null;
  struct statfs where;
  if (::stat("dev/null", &null) < 0 || ::statfs("dev/null", &where) < 0) return fail_errno(errno, "stat dev/null");
  if (!S_ISCHR(null.st_mode) || null.st_rdev != makedev(1, 3) || where.f_type != TMPFS_MAGIC)
    return fail(Errc::internal, "dev/null is not the null device");
  if (::statfs("empty", &where) < 0 || where.f_type != TMPFS_MAGIC) return fail(Errc::internal, "no empty directory");
  return {};
}

Result<void> cover(const char* source, const char* target, std::uint64_t attributes) {
  if (::faccessat(AT_FDCWD, target, F_OK, 0) < 0) return {};  // this kernel has no such file
  SB_TRY(auto copy, os::clone_mount(AT_FDCWD, source));
  if (attributes) SB_CHECK(os::set_mount_attributes(copy.get(), attributes));
  return os::attach_mount(copy.get(), AT_FDCWD, target);
}

Result<void> cover_kernel_files() {
  SB_CHECK(verify_mask_sources());
  for (auto path : kNullFiles) SB_CHECK(cover("dev/null", path, 0));
  for (auto path : kEmptyDirectories) SB_CHECK(cover("empty", path, 0));
  for (auto path : kReadOnly) SB_CHECK(cover(path, path, MOUNT_ATTR_RDONLY));
  for (auto& file : kOwn)
    SB_CHECK(
        cover(file.source, file.target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  return {};
}

// Once, here: in the hot path it would walk every process of the machine.
Result<void> become_root() {
  if (::syscall(SYS_pivot_root, ".", ".") < 0) return fail_errno(errno, "pivot into the skeleton");
  if (::umount2(".", MNT_DETACH) < 0) return fail_errno(errno, "drop the host's tree");
  if (::chdir("/") < 0) return fail_errno(errno, "enter the skeleton");
  return {};
}

}  // namespace

Result<UniqueFd> prepare(const Prepare& order, const UniqueFd& dev, const UniqueFd& skeleton,
                         const UniqueFd& own_files) {
  SB_CHECK(set_up_network(order));
  SB_CHECK(os::make_mounts_private());
  SB_CHECK(os::attach_mount(skeleton.get(), AT_FDCWD, order.place));
  if (::chdir(order.place) < 0) return fail_errno(errno, "enter the skeleton");
  SB_CHECK(os::attach_mount(dev.get(), AT_FDCWD, "dev"));
  SB_CHECK(os::attach_mount(own_files.get(), AT_FDCWD, "own"));
  SB_CHECK(mount_kernel_file_systems());
  SB_CHECK(cover_kernel_files());
  SB_CHECK(os::detach_mount("own"));
  SB_TRY(auto devpts, os::open_at(AT_FDCWD, "dev/pts", O_RDONLY | O_DIRECTORY));
  SB_CHECK(become_root());
  SB_CHECK(drop_bounding_set());
  return devpts;
}

}  // namespace sebring::slot
