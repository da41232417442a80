// The invariants of a sandbox, by the names they have in docs/SECURITY.md, each shown as an effect from inside.
#include <doctest/doctest.h>

#include <map>
#include <sstream>

#include "fixture.h"

using namespace sebring;
using namespace sebring::test;

namespace {

const runtime::Container& shared() { return Machine::get().shared(); }

std::map<std::string, std::string> table(const std::string& text) {
  std::map<std::string, std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (auto space = line.find(' '); space != std::string::npos) found[line.substr(0, space)] = line.substr(space + 1);
  return found;
}

struct Row {
  const char* name;
  const char* answer;
};

void check_rows(const std::map<std::string, std::string>& found, std::initializer_list<Row> rows) {
  for (const auto& row : rows) {
    CAPTURE(row.name);
    auto entry = found.find(row.name);
    CHECK((entry == found.end() ? "missing" : entry->second) == row.answer);
  }
}

const int kWho[] = {1000, 0};

}  // namespace

TEST_CASE("I3: capabilities, securebits, no inheritable or ambient ones") {
  auto user = run(shared(), "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status");
  CHECK(user.text.find("CapEff:\t0000000000000000") != std::string::npos);
  CHECK(user.text.find("CapPrm:\t0000000000000000") != std::string::npos);
  CHECK(user.text.find("Seccomp:\t2") != std::string::npos);
  auto root = run(shared(), "grep Cap /proc/self/status", 0);
  for (auto line : {"CapInh:\t0000000000000000", "CapPrm:\t00000000a80405fb", "CapEff:\t00000000a80405fb",
                    "CapBnd:\t00000000a80405fb", "CapAmb:\t0000000000000000"})
    CHECK_MESSAGE(root.text.find(line) != std::string::npos, line);
}

TEST_CASE("I1, I2: own ids, own namespaces") {
  auto text = run(shared(), "cat /proc/self/uid_map; cat /proc/self/cgroup; readlink /proc/self/ns/net").text;
  std::istringstream words(text);
  std::uint64_t inside = 1, outside = 0, count = 0;
  words >> inside >> outside >> count;
  CHECK(inside == 0);
  CHECK(outside == runtime::first_uid(shared().index));
  CHECK(outside >= 100000);
  CHECK(count == 65536);
  CHECK_MESSAGE(text.find("sebring") == std::string::npos, text);  // the cgroup namespace's root is its own
}

TEST_CASE("S1, S2, S4: refused system calls") {
  for (int uid : kWho) {
    CAPTURE(uid);
    auto found = table(run(shared(), "probe calls", uid).text);
    for (auto name : {"kexec_load",
                      "kexec_file_load",
                      "init_module",
                      "finit_module",
                      "delete_module",
                      "iopl",
                      "ioperm",
                      "reboot",
                      "swapon",
                      "swapoff",
                      "acct",
                      "quotactl",
                      "settimeofday",
                      "clock_settime",
                      "adjtimex",
                      "clock_adjtime",
                      "bpf",
                      "perf_event_open",
                      "userfaultfd",
                      "io_uring_setup",
                      "io_uring_enter",
                      "io_uring_register",
                      "add_key",
                      "keyctl",
                      "request_key",
                      "open_by_handle_at",
                      "fanotify_init",
                      "move_pages",
                      "migrate_pages",
                      "process_madvise",
                      "syslog",
                      "vhangup",
                      "mbind",
                      "set_mempolicy",
                      "clone3",
                      "lookup_dcookie",
                      "unknown",
                      "x32",
                      "int80"})
      check_rows(found, {{name, "ENOSYS"}});
    for (auto name : {"mount", "umount2", "pivot_root", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount",
                      "fspick", "mount_setattr", "setns", "sethostname", "setdomainname"})
      check_rows(found, {{name, "EPERM"}});
  }
}

TEST_CASE("S2: namespaces by unshare and clone; personality") {
  for (int uid : kWho) {
    CAPTURE(uid);
    auto found = table(run(shared(), "probe flags", uid).text);
    for (auto name : {"NEWNS", "NEWUSER", "NEWPID", "NEWNET", "NEWIPC", "NEWUTS", "NEWCGROUP"}) {
      CHECK(found[std::string("unshare-") + name] == "EPERM");
      CHECK(found[std::string("clone-") + name] == "EPERM");
    }
    check_rows(found, {{"unshare-NEWTIME", "EPERM"},
                       {"unshare-FILES", "ok"},
                       {"personality-0", "ok"},
                       {"personality-8", "ok"},
                       {"personality-131072", "ok"},
                       {"personality-131080", "ok"},
                       {"personality-4294967295", "ok"},
                       {"personality-4", "EPERM"},
                       {"personality-4194304", "EPERM"}});
  }
}

TEST_CASE("S3, S6: sockets") {
  for (int uid : kWho) {
    CAPTURE(uid);
    auto found = table(run(shared(), "probe sockets", uid).text);
    for (int family = 0; family < 46; ++family) {
      bool good = family == 1 || family == 2 || family == 10 || family == 16;
      CAPTURE(family);
      CHECK(found["family-" + std::to_string(family)] == (good ? "ok" : "EAFNOSUPPORT"));
    }
    for (int protocol = 0; protocol < 23; ++protocol) {
      bool good = protocol == 0 || protocol == 4 || protocol == 16;
      CAPTURE(protocol);
      auto answer = found["netlink-" + std::to_string(protocol)];
      if (good)
        CHECK((answer == "ok" || answer == "EPROTONOSUPPORT"));  // the kernel may lack inet_diag
      else
        CHECK(answer == "EPROTONOSUPPORT");
    }
    CHECK(found["raw"] == "EPERM");
  }
}

TEST_CASE("S5: ioctls") {
  for (int uid : kWho) {
    CAPTURE(uid);
    auto found = table(run(shared(), "probe ioctls", uid).text);
    check_rows(found, {{"pty", "ok"},
                       {"TIOCSTI", "EPERM"},
                       {"TIOCLINUX", "EPERM"},
                       {"TIOCSTI-high-bits", "EPERM"},
                       {"btrfs-subvolume", "ENOTTY"},
                       {"btrfs-sync", "ENOTTY"}});
    if (Machine::get().host().pool().kind() != image::PoolKind::directories) CHECK(found["clone-range"] == "ok");
    run(shared(), "rm -f /tmp/probe-a /tmp/probe-b", 0);
  }
}

TEST_CASE("D1: the daemon's memory, descriptors and life are out of reach") {
  for (int uid : kWho) {
    CAPTURE(uid);
    auto found = table(run(shared(), "probe daemon", uid).text);
    for (auto& [name, answer] : found) {
      CAPTURE(name);
      // Root inside is the daemon's user id, so it may lower its limits: it breaks its own sandbox, nothing else.
      if (name != "1-prlimit" || uid != 0) CHECK(answer != "ok");
    }
    CHECK(found.size() == 18);
  }
  CHECK(run(shared(), "echo alive").text == "alive\n");  // signals from inside do not end PID 1
}

TEST_CASE("F1, F3, F4: devices, masked and read-only kernel files") {
  for (int uid : kWho) {
    CAPTURE(uid);
    auto found = table(run(shared(), "probe files", uid).text);
    for (auto& [name, answer] : found) {
      CAPTURE(name);
      CHECK(answer != "ok");
      if (name.starts_with("masked-")) CHECK(answer == "empty");
    }
  }
  auto devices = run(shared(), "ls /dev").text;
  CHECK(devices == "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n");
  CHECK(run(shared(), "echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c").text ==
        "4\n4\n");
}

TEST_CASE("F5, F7: no cgroup file, no path of the host") {
  auto mounts = run(shared(), "cat /proc/self/mountinfo", 0).text;
  CHECK(mounts.find(" - cgroup") == std::string::npos);
  CHECK(mounts.find("shared:") == std::string::npos);
  CHECK(mounts.find("master:") == std::string::npos);
  CHECK(mounts.find("pool.img") == std::string::npos);
  CHECK(run(shared(), "ls /sys/fs/cgroup | wc -l", 0).text == "0\n");
}

TEST_CASE("F6: descriptors of user code") {
  for (int uid : kWho) {
    std::istringstream lines(run(shared(), "probe descriptors", uid).text);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) CHECK_MESSAGE(line[0] <= '2', line);
    CHECK(count == 3);
  }
}

TEST_CASE("a chroot escape ends in the image, or in the skeleton, never in the host's tree") {
  auto text = run(shared(), "probe escape; rm -f /escaped", 0).text;
  CHECK(table(text)["chroot"] == "ok");
  for (auto name : {"found var\n", "found boot\n", "found run\n", "found work\n", "found opt\n"})
    CHECK_MESSAGE(text.find(name) == std::string::npos, text);
}

TEST_CASE("inode numbers of image and disk never meet") {
  auto& machine = Machine::get();
  auto container = machine.start(machine.spec());
  run(container, "mkdir -p /srv/d; i=0; while [ $i -lt 2000 ]; do : > /srv/d/f$i; i=$((i+1)); done", 0);
  auto text = run(container, "probe inodes", 0).text;
  CHECK_MESSAGE(text.find("collisions 0") != std::string::npos, text);
  machine.destroy(std::move(container));
}

TEST_CASE("what a program sees of its limits") {
  auto text = run(shared(),
                  "nproc; grep MemTotal /proc/meminfo; grep -c ^processor /proc/cpuinfo; cat "
                  "/sys/devices/system/cpu/online; umask; hostname")
                  .text;
  CHECK(text == "1\nMemTotal:         262144 kB\n1\n0\n0022\nbox-one\n");
  CHECK(run(shared(), "cat /proc/mounts").text.find("/dev/shm tmpfs rw,nosuid,nodev,relatime,size=131072k") !=
        std::string::npos);
}
