#include "cli/doctor.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sebring::cli {
namespace {

// A host made of files.
struct FakeHost {
  FakeHost() {
    char name[] = "/tmp/sebring-doctor-XXXXXX";
    files.root = mkdtemp(name);
    write("/proc/sys/kernel/osrelease", "6.12.0-1-amd64\n");
    write("/proc/filesystems", "nodev\tproc\n\text4\nnodev\toverlay\n\tbtrfs\n");
    write("/dev/loop-control", "");
    write("/proc/sys/kernel/seccomp/actions_avail", "kill_process kill_thread trap errno user_notif trace log allow\n");
    write("/proc/pressure/memory", "some\n");
    write("/proc/self/mountinfo", "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    write("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
  }
  ~FakeHost() { std::filesystem::remove_all(files.root); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(files.root + path).parent_path());
    std::ofstream(files.root + path) << text;
  }
  void remove(const std::string& path) const { std::filesystem::remove(files.root + path); }
  HostFiles files;
};

const Finding& find(const std::vector<Finding>& findings, std::string_view check) {
  for (const Finding& one : findings)
    if (one.check == check) return one;
  FAIL("no such check");
  return findings.front();
}

}  // namespace

TEST_CASE("kernel_version") {
  struct Row {
    std::string_view text;
    int major, minor;
  } rows[] = {{"6.1.0-18-amd64", 6, 1}, {"5.15", 5, 15}, {"6.12-rc1+", 6, 12}, {"", 0, 0},
              {"linux", 0, 0},          {"6", 0, 0}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(kernel_version(row.text) == std::pair(row.major, row.minor));
  }
}

TEST_CASE("a good host") {
  FakeHost host;
  auto findings = examine_kernel(host.files);
  for (const Finding& one : findings) {
    CAPTURE(one.check);
    CHECK(one.severity == Severity::good);
  }
  CHECK(can_run(findings));
  CHECK(render_findings(findings, false).starts_with("This machine can run sebring: "));
}

TEST_CASE("each lack is named, with its cost and a cure") {
  struct Row {
    std::string_view path, text, check;
    Severity severity;
  } rows[] = {
      {"/proc/sys/kernel/osrelease", "5.10.0", "version", Severity::missing},
      {"/proc/sys/kernel/osrelease", "5.18.1", "version", Severity::missing},
      {"/proc/sys/kernel/osrelease", "6.1.0", "version", Severity::advice},
      {"/proc/filesystems", "\tbtrfs\nnodev\toverlayfs\n", "overlay", Severity::missing},
      {"/proc/filesystems", "nodev\toverlay\n", "btrfs", Severity::degraded},
      {"/dev/loop-control", "-", "loop devices", Severity::degraded},
      {"/proc/pressure/memory", "-", "pressure stall information", Severity::advice},
      {"/proc/sys/kernel/seccomp/actions_avail", "-", "seccomp filters", Severity::missing},
      {"/sys/fs/cgroup/cgroup.controllers", "cpu pids", "memory", Severity::missing},
      {"/sys/fs/cgroup/cgroup.controllers", "cpuset memory pids", "cpu", Severity::missing},
      {"/proc/self/mountinfo", "-", "pids", Severity::missing},
      {"/proc/sys/kernel/osrelease", "5.19.0", "a memory group of the daemons' own", Severity::degraded},
      {"/proc/self/mountinfo", "30 25 0:26 / /cg rw - cgroup cgroup rw,cpu,cpuacct\n", "memory", Severity::missing},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    CAPTURE(row.text);
    FakeHost host;
    if (row.text == "-") {
      host.remove(std::string(row.path));
    } else {
      host.write(std::string(row.path), std::string(row.text));
    }
    auto findings = examine_kernel(host.files);
    const Finding& one = find(findings, row.check);
    CHECK(one.severity == row.severity);
    CHECK_FALSE(one.cost.empty());
    CHECK_FALSE(one.mend.empty());
    CHECK(can_run(findings) == (row.severity != Severity::missing));
    CHECK(render_findings(findings, false).find(one.mend) != std::string::npos);
  }
}

TEST_CASE("a module that can be loaded is as good as one that is") {
  FakeHost host;
  host.write("/proc/filesystems", "\text4\n");
  host.write("/lib/modules/6.12.0-1-amd64/modules.dep",
             "kernel/fs/overlayfs/overlay.ko.xz:\nkernel/fs/btrfs/btrfs.ko:\n");
  CHECK(can_run(examine_kernel(host.files)));
}

TEST_CASE("a loop module is worth what loads it") {
  FakeHost host;
  host.remove("/dev/loop-control");
  host.write("/lib/modules/6.12.0-1-amd64/modules.dep", "kernel/drivers/block/loop.ko:\n");
  auto findings = examine_kernel(host.files);
  CHECK(find(findings, "loop devices").severity == Severity::degraded);
  CHECK(find(findings, "loop devices").mend.find("kmod") != std::string::npos);
  host.write("/usr/sbin/modprobe", "");
  findings = examine_kernel(host.files);
  CHECK(find(findings, "loop devices").severity == Severity::good);
}

TEST_CASE("network and messages of the host") {
  FakeHost host;
  auto findings = examine_host(host.files);
  CHECK(find(findings, "default route").severity == Severity::advice);
  CHECK(find(findings, "kernel messages").severity == Severity::advice);
  host.write("/proc/net/route",
             "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
             "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
  host.write("/dev/kmsg", "");
  findings = examine_host(host.files);
  CHECK(find(findings, "default route").severity == Severity::good);
  CHECK(find(findings, "kernel messages").severity == Severity::good);
  host.write("/proc/net/route", "Iface\tDestination\neth0\t0002000A\t00000000\t1\t0\t0\t0\t00FFFFFF\t0\n");
  CHECK(find(examine_host(host.files), "default route").severity == Severity::advice);
}

TEST_CASE("cgroup version 1 is enough") {
  FakeHost host;
  host.write("/proc/self/mountinfo",
             "1 2 0:1 / /a rw - cgroup cgroup rw,memory\n1 2 0:1 / /b rw - cgroup c rw,cpu,cpuacct\n"
             "1 2 0:1 / /c rw - cgroup c rw,pids\n1 2 0:1 / /d rw - cgroup2 c rw\n");
  auto findings = examine_kernel(host.files);
  CHECK(can_run(findings));
  CHECK(find(findings, "io").severity == Severity::advice);
}

TEST_CASE("host settings") {
  FakeHost host;
  host.write("/proc/sys/fs/suid_dumpable", "2\n");
  host.write("/proc/sys/kernel/kptr_restrict", "2\n");
  host.write("/proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
  host.write("/proc/sys/kernel/core_pattern", "|/usr/share/apport/apport %p\n");
  host.write("/proc/sys/user/max_user_namespaces", "0\n");
  host.write("/proc/swaps", "Filename Type Size\n/dev/sda2 partition 1\n");
  auto findings = examine_host(host.files);
  CHECK(find(findings, "fs.suid_dumpable").severity == Severity::advice);
  CHECK(find(findings, "kernel.kptr_restrict").severity == Severity::good);
  CHECK(find(findings, "kernel.unprivileged_bpf_disabled").severity == Severity::good);
  CHECK(find(findings, "kernel.core_pattern").severity == Severity::advice);
  CHECK(find(findings, "user.max_user_namespaces").severity == Severity::missing);
  CHECK(find(findings, "swap").severity == Severity::advice);
  auto json = findings_json(findings);
  CHECK(json.at("canRun") == false);
  CHECK(json.at("findings").as_array().size() == findings.size());
}

}  // namespace sebring::cli
