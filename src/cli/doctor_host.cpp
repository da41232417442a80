// Settings of the machine: what the runner needs, and what narrows the room of an attacker inside a sandbox.
#include <fcntl.h>
#include <sys/resource.h>

#include "base/text.h"
#include "base/unique_fd.h"
#include "cli/doctor.h"

namespace sebring::cli {
namespace {

constexpr rlim_t kOpenFilesWanted = 65'536;

struct Sysctl {
  std::string_view path;  // below /proc/sys, with slashes
  std::string_view wanted;
  Severity otherwise;
  std::string_view cost;
};

constexpr Sysctl kSysctls[] = {
    {"net/ipv4/ip_forward", "1", Severity::advice,
     "sandboxes have no way to the internet until it is on; `sebring up` switches it on by itself"},
    {"fs/suid_dumpable", "0", Severity::advice, "core files of privileged processes could be read by others"},
    {"kernel/dmesg_restrict", "1", Severity::advice, "local users read kernel messages, which name addresses"},
    {"kernel/kptr_restrict", "2", Severity::advice, "kernel addresses show in /proc to processes with privileges"},
    {"kernel/unprivileged_bpf_disabled", "1", Severity::advice, "local users may load BPF programs"},
};

std::string dotted(std::string_view path) {
  std::string out(path);
  for (char& c : out)
    if (c == '/') c = '.';
  return out;
}

Finding sysctl(const HostFiles& host, const Sysctl& row) {
  const std::string value = host.read("/proc/sys/" + std::string(row.path)).value_or("");
  Finding out{"host", dotted(row.path), Severity::good, value.empty() ? "not there" : value, "", ""};
  // Larger is stricter for all of them but suid_dumpable, where only 0 will do.
  const bool stricter = parse_integer(value).value_or(-1) > parse_integer(row.wanted).value_or(0);
  if (value.empty() || value == row.wanted || (stricter && row.wanted != "0")) return out;
  out.severity = row.otherwise;
  out.cost = row.cost;
  out.mend = "sysctl -w " + out.check + "=" + std::string(row.wanted) + " (and a line in /etc/sysctl.d/ to keep it)";
  return out;
}

Finding user_namespace_limit(const HostFiles& host) {
  const std::string value = host.read("/proc/sys/user/max_user_namespaces").value_or("");
  Finding out{"host", "user.max_user_namespaces", Severity::good, value.empty() ? "not there" : value, "", ""};
  const auto number = parse_integer(value);
  if (!number || *number >= 1024) return out;
  out.severity = *number == 0 ? Severity::missing : Severity::degraded;
  out.cost = *number == 0 ? "no sandbox can have its own user ids" : "at most that many sandboxes";
  out.mend = "sysctl -w user.max_user_namespaces=65536 (and a line in /etc/sysctl.d/ to keep it)";
  return out;
}

Finding core_pattern(const HostFiles& host) {
  const std::string value = host.read("/proc/sys/kernel/core_pattern").value_or("");
  Finding out{"host", "kernel.core_pattern", Severity::good, value, "", ""};
  if (!value.starts_with('|')) return out;
  out.severity = Severity::advice;
  out.cost = "a crash in a sandbox starts this program as root on the host, with input that the sandbox chose";
  out.mend = "sysctl -w kernel.core_pattern=core";
  return out;
}

Finding same_page_merging(const HostFiles& host) {
  const std::string value = host.read("/sys/kernel/mm/ksm/run").value_or("0");
  Finding out{"host", "kernel same-page merging", Severity::good, value == "0" ? "off" : "on", "", ""};
  if (value == "0") return out;
  out.severity = Severity::advice;
  out.cost = "sandboxes can find out by timing which pages their neighbours have";
  out.mend = "echo 2 > /sys/kernel/mm/ksm/run";
  return out;
}

Finding smt(const HostFiles& host) {
  const std::string value = host.read("/sys/devices/system/cpu/smt/active").value_or("0");
  Finding out{"host", "simultaneous multithreading", Severity::good, value == "1" ? "on" : "off", "", ""};
  if (value != "1") return out;
  out.severity = Severity::advice;
  out.cost =
      "two sandboxes may share one core's caches at the same moment; matters when tenants do not trust each other";
  out.mend = "echo off > /sys/devices/system/cpu/smt/control";
  return out;
}

// The default route of IPv4: destination 00000000 and mask 00000000.
Finding default_route(const HostFiles& host) {
  Finding out{"network", "default route", Severity::good, "there", "", ""};
  const std::string routes = host.read("/proc/net/route").value_or("");
  for (std::string_view line : split(routes, '\n')) {
    auto fields = split(line, '\t');
    if (fields.size() > 7 && fields[1] == "00000000" && fields[7] == "00000000") return out;
  }
  out.severity = Severity::advice;
  out.found = "none";
  out.cost = "sandboxes reach no other network";
  out.mend = "ip route add default via GATEWAY";
  return out;
}

Finding kernel_messages(const HostFiles& host) {
  Finding out{"host", "kernel messages", Severity::good, "readable", "", ""};
  UniqueFd fd(::open((host.root + "/dev/kmsg").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd) return out;
  out.severity = Severity::advice;
  out.found = "not readable";
  out.cost = "the victim of a memory limit is not named in `errorReason`";
  out.mend = "run the server as root with CAP_SYSLOG, with /dev/kmsg there";
  return out;
}

Finding open_files() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  Finding out{"host", "open files", Severity::good, std::to_string(files.rlim_max), "", ""};
  if (files.rlim_max >= kOpenFilesWanted) return out;
  out.severity = Severity::advice;
  out.cost = "about one sandbox per ten of them";
  out.mend = "ulimit -Hn 1048576, or LimitNOFILE=1048576 in the unit";
  return out;
}

Finding swap(const HostFiles& host) {
  const std::string value = host.read("/proc/swaps").value_or("");
  const bool on = value.find('\n') != std::string::npos;
  Finding out{"host", "swap", Severity::good, on ? "on" : "off", "", ""};
  if (!on) return out;
  out.severity = Severity::advice;
  out.cost = "memory of the server may reach the disk; sandboxes themselves are not swapped";
  out.mend = "encrypt the swap, or swapoff -a";
  return out;
}

}  // namespace

std::vector<Finding> examine_host(const HostFiles& host) {
  std::vector<Finding> out;
  out.push_back(user_namespace_limit(host));
  for (const Sysctl& row : kSysctls) out.push_back(sysctl(host, row));
  out.push_back(core_pattern(host));
  out.push_back(same_page_merging(host));
  out.push_back(smt(host));
  out.push_back(swap(host));
  out.push_back(kernel_messages(host));
  out.push_back(open_files());
  out.push_back(default_route(host));
  return out;
}

}  // namespace sebring::cli
