// What the kernel offers, as far as files tell it.
#include <algorithm>

#include "base/text.h"
#include "cli/doctor.h"

namespace sebring::cli {
namespace {

constexpr std::string_view kArea = "kernel";

std::string release_of(const HostFiles& host) { return host.read("/proc/sys/kernel/osrelease").value_or("unknown"); }

Finding version(const HostFiles& host) {
  const std::string release = release_of(host);
  Finding out{std::string(kArea), "version", Severity::good, release, "", ""};
  const auto version = kernel_version(release);
  if (version < std::pair(5, 19)) {
    out.severity = Severity::missing;
    out.cost = "no sandbox can start: overlays over id-mapped layers came with 5.19";
    out.mend = "install a newer kernel; Debian 12's stock kernel (6.1) is enough: apt-get install linux-image-amd64";
  } else if (version < std::pair(6, 7)) {
    out.severity = Severity::advice;
    out.cost = "no btrfs simple quotas before 6.7: classic ones are used, deletes are slower";
    out.mend = "install kernel 6.7 or newer (bookworm-backports has one)";
  }
  return out;
}

// Built in, loaded, or there to be loaded when first asked for.
bool has_file_system(const HostFiles& host, std::string_view name) {
  const std::string list = host.read("/proc/filesystems").value_or("");
  for (std::string_view line : split(list, '\n')) {
    if (auto tab = line.rfind('\t'); tab != std::string_view::npos && line.substr(tab + 1) == name) return true;
  }
  return false;
}

bool has_module(const HostFiles& host, std::string_view name) {
  const std::string folder = "/lib/modules/" + release_of(host);
  for (std::string_view file : {"/modules.builtin", "/modules.dep"}) {
    const std::string list = host.read(folder + std::string(file)).value_or("");
    if (list.find("/" + std::string(name) + ".ko") != std::string::npos) return true;
  }
  return false;
}

Finding file_system(const HostFiles& host, std::string_view name, Severity without, std::string_view cost) {
  Finding out{std::string(kArea), std::string(name), Severity::good, "there", "", ""};
  if (has_file_system(host, name)) return out;
  if (has_module(host, name)) {
    out.found = "a module, loaded when needed";
    return out;
  }
  out.severity = without;
  out.found = "not in this kernel";
  out.cost = cost;
  out.mend = "modprobe " + std::string(name) + ", or a kernel that has it";
  return out;
}

Finding loop_devices(const HostFiles& host) {
  Finding out{std::string(kArea), "loop devices", Severity::good, "there", "", ""};
  if (host.exists("/dev/loop-control")) return out;
  const bool loads = host.exists("/sbin/modprobe") || host.exists("/usr/sbin/modprobe");
  if (loads && has_module(host, "loop")) {
    out.found = "a module, loaded when needed";
    return out;
  }
  out.severity = Severity::degraded;
  out.found = "no /dev/loop-control";
  out.cost = "the pool can not be a loop file; only a data directory that is on btrfs has hard disk limits and fork";
  out.mend = std::string(loads ? "" : "apt-get install kmod; ") + "modprobe loop, or put the data directory on btrfs";
  return out;
}

Finding pressure(const HostFiles& host) {
  Finding out{std::string(kArea), "pressure stall information", Severity::good, "there", "", ""};
  if (host.read("/proc/pressure/memory")) return out;
  out.severity = Severity::advice;
  out.found = "off";
  out.cost = "no early warning when the machine runs out of memory or disk time";
  out.mend = "boot with psi=1";
  return out;
}

Finding seccomp(const HostFiles& host) {
  Finding out{std::string(kArea), "seccomp filters", Severity::good, "there", "", ""};
  const std::string actions = host.read("/proc/sys/kernel/seccomp/actions_avail").value_or("");
  if (actions.find("errno") != std::string::npos) return out;
  out.severity = Severity::missing;
  out.found = "not in this kernel";
  out.cost = "system calls of sandboxes can not be filtered";
  out.mend = "a kernel with CONFIG_SECCOMP_FILTER";
  return out;
}

bool has_word(std::string_view text, std::string_view word) {
  auto words = split(text, ' ');
  return std::ranges::find(words, word) != words.end();
}

// Version 1 controllers that are mounted somewhere: fifth field on of mountinfo, options at the end.
bool v1_mounted(const HostFiles& host, std::string_view controller) {
  const std::string mounts = host.read("/proc/self/mountinfo").value_or("");
  for (std::string_view line : split(mounts, '\n')) {
    std::size_t dash = line.find(" - cgroup ");
    if (dash == std::string_view::npos) continue;
    std::string_view options = line.substr(line.rfind(' ') + 1);
    for (std::string_view option : split(options, ','))
      if (option == controller) return true;
  }
  return false;
}

std::string v2_mount(const HostFiles& host) {
  const std::string mounts = host.read("/proc/self/mountinfo").value_or("");
  for (std::string_view line : split(mounts, '\n'))
    if (line.find(" - cgroup2 ") != std::string_view::npos) return std::string(split(line, ' ').at(4));
  return {};
}

// Version 2 without favordynmods: joining a group waits for all processors, so PID 1 stays where the users' processes
// are.
Finding toolboxes_group(const HostFiles& host, bool version_2) {
  Finding out{"cgroups", "a memory group of the daemons' own", Severity::good, "works", "", ""};
  if (!version_2 || kernel_version(release_of(host)) >= std::pair(6, 0)) return out;
  out.severity = Severity::degraded;
  out.found = "no favordynmods";
  out.cost = "a sandbox's daemon shares its memory limit and may become the victim, which ends the sandbox";
  out.mend = "install kernel 6.0 or newer";
  return out;
}

std::vector<Finding> cgroups(const HostFiles& host) {
  struct Need {
    std::string_view name;
    Severity without;
    std::string_view cost;
  } needs[] = {
      {"memory", Severity::missing, "no memory limit: one sandbox could take all of the machine"},
      {"pids", Severity::missing, "no limit on processes: a fork bomb would reach the host"},
      {"cpu", Severity::missing, "no share of the processor: one sandbox could take all of it"},
      {"cpuset", Severity::advice, "nproc inside a sandbox shows the CPUs of the host"},
      {"io", Severity::advice, "no fair share of disk bandwidth between sandboxes"},
  };
  const std::string mount = v2_mount(host);
  const std::string v2 = mount.empty() ? "" : host.read(mount + "/cgroup.controllers").value_or("");
  std::vector<Finding> out;
  for (const Need& need : needs) {
    Finding one{"cgroups", std::string(need.name), Severity::good, "", "", ""};
    const std::string_view v1_name = need.name == "io" ? "blkio" : need.name;
    if (has_word(v2, need.name)) {
      one.found = "version 2, " + mount;
    } else if (v1_mounted(host, v1_name)) {
      one.found = "version 1";
    } else {
      one.severity = need.without;
      one.found = "not available";
      one.cost = need.cost;
      one.mend = need.name == "memory" ? "boot with cgroup_enable=memory (some boards switch it off), systemd then "
                                         "mounts it"
                                       : "a kernel with this controller, and cgroup2 mounted on /sys/fs/cgroup: mount "
                                         "-t cgroup2 none /sys/fs/cgroup";
    }
    out.push_back(std::move(one));
  }
  out.push_back(toolboxes_group(host, has_word(v2, "memory")));
  return out;
}

}  // namespace

std::vector<Finding> examine_kernel(const HostFiles& host) {
  std::vector<Finding> out;
  out.push_back(version(host));
  out.push_back(file_system(host, "overlay", Severity::missing, "sandboxes are an overlay over the image"));
  out.push_back(
      file_system(host, "btrfs", Severity::degraded, "no hard disk limits per sandbox, no instant fork and snapshot"));
  out.push_back(loop_devices(host));
  out.push_back(seccomp(host));
  out.push_back(pressure(host));
  for (Finding& one : cgroups(host)) out.push_back(std::move(one));
  return out;
}

}  // namespace sebring::cli
