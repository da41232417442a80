#include "os/features.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "os/btrfs.h"
#include "os/cgroup.h"
#include "os/file.h"
#include "os/link.h"
#include "os/mount.h"
#include "os/netlink.h"
#include "os/program.h"

namespace sebring::os {
namespace {

Result<UniqueFd> detached_tmpfs() {
  SB_TRY(auto context, FileSystem::open("tmpfs"));
  return context.mount(0);
}

bool file_system_known(const std::string& type) {
  int fd = ::fsopen(type.c_str(), FSOPEN_CLOEXEC);  // loads the module where there is one
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

bool kernel_at_least(int major, int minor) {
  utsname name;
  int have_major = 0, have_minor = 0;
  if (::uname(&name) < 0 || std::sscanf(name.release, "%d.%d", &have_major, &have_minor) != 2) return false;
  return have_major > major || (have_major == major && have_minor >= minor);
}

bool seccomp_filters() {
  unsigned action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

std::string knob(const std::string& path) {
  auto text = read_at(AT_FDCWD, path, 256);
  return text ? std::string(trim(*text)) : "";
}

void add_kernel(std::vector<Feature>& list) {
  Abilities abilities = probe_abilities();
  list.push_back({"Linux 5.19 or newer", kernel_at_least(5, 19), true,
                  "id-mapped overlay mounts are missing: no sandbox can start",
                  "apt install linux-image-amd64 && reboot"});
  list.push_back({"user namespaces",
                  exists_at(AT_FDCWD, "/proc/self/ns/user") && knob("/proc/sys/user/max_user_namespaces") != "0", true,
                  "no sandbox can start", "sysctl -w user.max_user_namespaces=100000"});
  list.push_back(
      {"system call filters", seccomp_filters(), true, "no sandbox can start", "a kernel with CONFIG_SECCOMP_FILTER"});
  list.push_back(
      {"overlay file system", file_system_known("overlay"), true, "no sandbox can start", "modprobe overlay"});
  list.push_back({"overlay layers by descriptor (6.13)", abilities.layers_by_descriptor, false,
                  "a few microseconds per create; at most about 100 layers", "a newer kernel"});
  list.push_back({"mounts from detached mounts (6.15)", abilities.detached_sources, false,
                  "two more mount calls per slot", "a newer kernel"});
}

void add_storage(std::vector<Feature>& list, const std::string& data_dir) {
  bool on_btrfs = false;
  if (auto directory = open_dir(data_dir)) on_btrfs = btrfs::is_btrfs(directory->get());
  bool btrfs = file_system_known("btrfs");
  list.push_back({"btrfs", btrfs, false, "no instant fork, no hard disk limit", "modprobe btrfs"});
  list.push_back({"loop devices", on_btrfs || exists_at(AT_FDCWD, "/dev/loop-control"), false,
                  "the pool becomes plain directories: no instant fork, no hard disk limit", "modprobe loop"});
  list.push_back({"mkfs.btrfs", on_btrfs || !find_program("mkfs.btrfs").empty(), false,
                  "the pool becomes plain directories: no instant fork, no hard disk limit",
                  "apt install btrfs-progs"});
  list.push_back({"btrfs simple quotas (6.7)", btrfs && kernel_at_least(6, 7), false,
                  "classic quotas: deleting many sandboxes is slower, forks count what they share", "a newer kernel"});
}

void add_network(std::vector<Feature>& list) {
  bool tables = Netlink::open(NETLINK_NETFILTER).has_value();
  list.push_back({"nf_tables", tables, false, "sandboxes have no network", "modprobe nf_tables"});
  list.push_back({"nft", !find_program("nft").empty(), false, "sandboxes have no network", "apt install nftables"});
  list.push_back({"a default route", default_route().has_value(), false, "sandboxes reach no other network",
                  "ip route add default via <gateway>"});
  list.push_back({"IPv4 forwarding", knob("/proc/sys/net/ipv4/ip_forward") == "1", false,
                  "switched on when the runner starts", "sysctl -w net.ipv4.ip_forward=1"});
}

void add_groups(std::vector<Feature>& list) {
  auto mountinfo = read_at(AT_FDCWD, "/proc/self/mountinfo", 4 << 20);
  CgroupMounts mounts = parse_cgroup_mounts(mountinfo ? *mountinfo : "");
  std::string second = mounts.version_2 ? knob(*mounts.version_2 + "/cgroup.controllers") : "";
  bool memory = second.find("memory") != std::string::npos, cpuset = second.find("cpuset") != std::string::npos;
  for (auto& hierarchy : mounts.version_1)
    for (auto& controller : hierarchy.controllers) {
      memory |= controller == "memory";
      cpuset |= controller == "cpuset";
    }
  list.push_back({"memory cgroup", memory, true, "no sandbox can start", "boot with cgroup_enable=memory"});
  list.push_back({"cpuset cgroup", cpuset, false, "nproc shows the host's processors", "a kernel with CONFIG_CPUSETS"});
  if (second.find("memory") != std::string::npos)
    list.push_back({"cgroup2 favordynmods (6.0)", kernel_at_least(6, 0), false,
                    "commands share a memory limit with the daemon inside, which may become the victim",
                    "a newer kernel"});
}

void add_settings(std::vector<Feature>& list) {
  list.push_back({"kernel messages readable", ::access("/dev/kmsg", R_OK) == 0, false,
                  "the victim of a memory limit is not named", "run the runner with CAP_SYSLOG"});
  list.push_back({"fs.suid_dumpable=0", knob("/proc/sys/fs/suid_dumpable") == "0", false,
                  "core dumps of privileged programs may be readable", "sysctl -w fs.suid_dumpable=0"});
  list.push_back({"kernel.dmesg_restrict=1", knob("/proc/sys/kernel/dmesg_restrict") == "1", false,
                  "defence in depth only: the call is refused inside anyway", "sysctl -w kernel.dmesg_restrict=1"});
  list.push_back({"kernel.unprivileged_bpf_disabled", knob("/proc/sys/kernel/unprivileged_bpf_disabled") != "0", false,
                  "defence in depth only: the call is refused inside anyway",
                  "sysctl -w kernel.unprivileged_bpf_disabled=1"});
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  list.push_back({"65,536 open files", files.rlim_max >= 65536, false, "about 1 sandbox per 8 descriptors",
                  "ulimit -n 1048576, or LimitNOFILE= in the unit"});
}

}  // namespace

Abilities probe_abilities() {
  Abilities abilities;
  auto detached = detached_tmpfs();
  if (!detached) return abilities;
  abilities.detached_sources = clone_mount(detached->get(), "").has_value();
  if (auto overlay = FileSystem::open("overlay"))
    abilities.layers_by_descriptor = overlay->set_fd("lowerdir+", detached->get()).has_value();
  abilities.id_mapped_tmpfs = kernel_at_least(6, 3);
  // For tests of the way that older kernels take.
  if (const char* off = std::getenv("SEBRING_OLD_KERNEL"); off && *off == '1') abilities = {};
  return abilities;
}

std::vector<Feature> probe_features(const std::string& data_dir) {
  std::vector<Feature> list;
  add_kernel(list);
  add_groups(list);
  add_storage(list, data_dir);
  add_network(list);
  add_settings(list);
  return list;
}

}  // namespace sebring::os
