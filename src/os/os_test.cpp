#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "os/cgroup.h"
#include "os/file.h"
#include "os/nft.h"
#include "os/passing.h"
#include "os/pidfd.h"

using namespace sebring;
using namespace sebring::os;

TEST_CASE("networks") {
  struct Row {
    const char* text;
    bool good;
    std::uint32_t address;
    int prefix;
  } rows[] = {{"10.0.0.0/8", true, 0x0a000000, 8},
              {"10.1.2.3/8", true, 0x0a000000, 8},
              {"1.2.3.4", true, 0x01020304, 32},
              {"0.0.0.0/0", true, 0, 0},
              {"1.2.3.4/33", false, 0, 0},
              {"1.2.3.4/-1", false, 0, 0},
              {"1.2.3", false, 0, 0},
              {"::/0", false, 0, 0},
              {"", false, 0, 0},
              {"1.2.3.4/", false, 0, 0},
              {"1.2.3.4/8x", false, 0, 0},
              {"a.b.c.d", false, 0, 0}};
  for (auto& row : rows) {
    CAPTURE(row.text);
    auto cidr = parse_cidr(row.text);
    CHECK(cidr.has_value() == row.good);
    if (!cidr || !row.good) continue;
    CHECK(cidr->address == row.address);
    CHECK(cidr->prefix == row.prefix);
  }
}

TEST_CASE("lists of processors") {
  CHECK(parse_cpu_list("0-3,5\n") == std::vector<int>{0, 1, 2, 3, 5});
  CHECK(parse_cpu_list("") == std::vector<int>{});
  CHECK(parse_cpu_list("x,3-1,-4") == std::vector<int>{});
  CHECK(cpu_list_text({5, 0, 1, 2}) == "0-2,5");
  CHECK(cpu_list_text({}) == "");
}

TEST_CASE("where cgroups are mounted") {
  auto mounts = parse_cgroup_mounts(
      "30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "31 24 0:27 / /sys/fs/cgroup/my\\040memory rw shared:1 - cgroup cgroup rw,memory\n"
      "32 24 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
      "33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "34 24 0:29 /sub /elsewhere rw - cgroup2 cgroup2 rw\n"
      "garbage\n");
  REQUIRE(mounts.version_1.size() == 2);
  CHECK(mounts.version_1[0].controllers == std::vector<std::string>{"cpu", "cpuacct"});
  CHECK(mounts.version_1[1].path == "/sys/fs/cgroup/my memory");
  CHECK(mounts.version_2 == "/sys/fs/cgroup/unified");
}

TEST_CASE("trees are removed, however deep, without following links") {
  char name[] = "/tmp/sebring-tree-XXXXXX";
  std::string top = ::mkdtemp(name);
  REQUIRE(put_file_at(AT_FDCWD, top + "/outside", "kept", 0600).has_value());
  std::filesystem::create_directory(top + "/tree");
  std::filesystem::create_symlink(top, top + "/tree/link");
  auto dir = open_dir(top + "/tree");
  for (int i = 0; i < 400; ++i) {
    REQUIRE(make_dir_at(dir->get(), "d", 0700).has_value());
    REQUIRE(put_file_at(dir->get(), "f", "x", 0600).has_value());
    dir = open_at(dir->get(), "d", O_RDONLY | O_DIRECTORY);
  }
  CHECK(remove_tree_at(AT_FDCWD, top + "/tree").has_value());
  CHECK(!exists_at(AT_FDCWD, top + "/tree"));
  CHECK(exists_at(AT_FDCWD, top + "/outside"));
  CHECK(remove_tree_at(AT_FDCWD, top + "/tree").has_value());  // a missing one is fine
  std::filesystem::remove_all(top);
}

TEST_CASE("opening inside a root follows nothing and leaves nothing") {
  char name[] = "/tmp/sebring-inside-XXXXXX";
  std::string top = ::mkdtemp(name);
  std::filesystem::create_directories(top + "/root/sub");
  REQUIRE(put_file_at(AT_FDCWD, top + "/secret", "s", 0600).has_value());
  REQUIRE(put_file_at(AT_FDCWD, top + "/root/sub/file", "f", 0600).has_value());
  std::filesystem::create_symlink("/etc", top + "/root/etc");
  std::filesystem::create_symlink("file", top + "/root/sub/soft");
  auto root = open_dir(top + "/root");
  CHECK(open_inside(root->get(), "sub/file", O_RDONLY).has_value());
  CHECK(open_inside(root->get(), "/sub/file", O_RDONLY).has_value());
  for (auto path : {"../secret", "sub/../../secret", "etc/passwd", "etc", "sub/soft", "none", ""})
    CHECK_MESSAGE(!open_inside(root->get(), path, O_RDONLY), path);
  std::filesystem::remove_all(top);
}

TEST_CASE("messages with descriptors") {
  auto pair = make_packet_pair(64 * 1024);
  REQUIRE(pair.has_value());
  int fds[] = {0, 1};
  CHECK(send_message(pair->first.get(), "hello", fds).has_value());
  auto message = receive_message(pair->second.get(), 100, 1000);
  REQUIRE(message.has_value());
  CHECK(message->data == "hello");
  CHECK(message->fds.size() == 2);
  CHECK((::fcntl(message->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(receive_message(pair->second.get(), 100, 10).error().code() == Errc::timed_out);
  CHECK(send_message(pair->first.get(), "too long for it").has_value());
  CHECK(receive_message(pair->second.get(), 4, 1000).error().code() == Errc::too_large);
  pair->first.reset();
  CHECK(receive_message(pair->second.get(), 4, 1000)->ended);
}

TEST_CASE("who leads a session at a terminal is known") {
  CHECK_FALSE(leads_terminal(1 << 30));
  int master = -1;
  const pid_t child = ::forkpty(&master, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  UniqueFd terminal(master);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!leads_terminal(child) && std::chrono::steady_clock::now() < until) ::usleep(1000);
  CHECK(leads_terminal(child));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("start times tell processes apart") {
  CHECK(start_time(::getpid()) > 0);
  CHECK(start_time(1 << 30) == 0);
  CHECK(process_state(::getpid()) == 'R');
  const auto activity = process_activity(::getpid());
  REQUIRE(activity.has_value());
  CHECK(activity->states.contains('R'));
  CHECK(!process_activity(1 << 30).has_value());
}
