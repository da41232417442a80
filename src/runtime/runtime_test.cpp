#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>

#include <cstdlib>
#include <filesystem>

#include "os/file.h"
#include "os/link.h"
#include "runtime/container.h"
#include "runtime/cpu_spread.h"
#include "runtime/lease.h"
#include "runtime/own_files.h"

using namespace sebring;
using namespace sebring::runtime;

namespace {

// An instance that lives: its chunks are nobody else's while the lock in its data directory is held.
UniqueFd live_instance(const std::string& data_dir) {
  std::filesystem::create_directory(data_dir);
  UniqueFd lock(::open((data_dir + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(lock.get(), LOCK_EX | LOCK_NB) == 0);
  return lock;
}

}  // namespace

TEST_CASE("leases: chunks are exclusive, indices are not reused at once") {
  char name[] = "/tmp/sebring-lease-XXXXXX";
  std::string directory = ::mkdtemp(name);
  const std::string data_one = directory + "/one", data_two = directory + "/two";
  std::filesystem::create_directory(directory + "/leases");
  auto lock_one = live_instance(data_one), lock_two = live_instance(data_two);
  auto one = Leases::open(directory + "/leases", {data_one, "one", "boot"});
  auto two = Leases::open(directory + "/leases", {data_two, "two", "boot"});
  REQUIRE(one.has_value());
  REQUIRE(two.has_value());
  Index first = *one->take(), other = *two->take();
  CHECK(first / kChunk != other / kChunk);
  CHECK(first_uid(first) >= 100000);
  one->release(first);
  CHECK(*one->take() != first);
  for (Index i = 0; i < kChunk; ++i) REQUIRE(one->take().has_value());  // a second chunk
  CHECK(one->chunks().size() == 2);
  CHECK(!one->adopt(other));
  two->release(other);
  two->give_back_unused();
  CHECK(two->chunks().empty());
  // A next life of the same instance has its chunks, and after a reboot nobody has.
  auto again = Leases::open(directory + "/leases", {data_one, "one", "boot"});
  CHECK(again->chunks().size() == 2);
  CHECK(again->adopt(first));
  auto rebooted = Leases::open(directory + "/leases", {data_one, "one", "another boot"});
  CHECK(rebooted->chunks().empty());
  std::filesystem::remove_all(directory);
}

TEST_CASE("leases: who takes over a dead instance's chunk is told") {
  char name[] = "/tmp/sebring-lease-XXXXXX";
  std::string directory = ::mkdtemp(name);
  std::filesystem::create_directory(directory + "/leases");
  auto lock_dead = live_instance(directory + "/dead"), lock_heir = live_instance(directory + "/heir");
  auto dead = Leases::open(directory + "/leases", {directory + "/dead", "dead", "boot"});
  auto heir = Leases::open(directory + "/leases", {directory + "/heir", "heir", "boot"});
  std::string told;
  heir->when_taken_over(
      [&](const std::string& instance, Index first) { told += instance + " " + std::to_string(first) + ";"; });
  const Index first = *dead->take() / kChunk * kChunk;
  CHECK(*heir->take() / kChunk != first / kChunk);
  CHECK(told.empty());
  lock_dead.reset();
  heir->give_back_unused();
  bool links = false;  // of a server that runs on this machine: then the chunk is not free
  for (Index index = first; index < first + kChunk; ++index) links |= os::link_index(link_of(index)) != 0;
  for (Index i = 0; i < kChunk && told.empty(); ++i) REQUIRE(heir->take().has_value());
  CHECK(told == (links ? "" : "dead " + std::to_string(first) + ";"));
  std::filesystem::remove_all(directory);
}

TEST_CASE("processors are spread evenly") {
  CpuSpread spread({0, 1, 2, 3});
  CHECK(spread.choose(1, 0.5).size() == 1);
  CHECK(spread.choose(2, 1.5).size() == 2);
  CHECK(spread.choose(3, 99).size() == 4);
  spread.release(3);
  auto last = spread.choose(4, 1);
  for (int taken : spread.choose(1, 1)) CHECK(last != std::vector<int>{taken});
  CHECK(CpuSpread({}).choose(1, 1) == std::vector<int>{0});
}

TEST_CASE("own files") {
  CHECK(meminfo_text(std::uint64_t{1} << 30).starts_with("MemTotal:        1048576 kB\nMemFree:         1032192 kB\n"));
  std::string host =
      "processor\t: 0\nmodel name\t: X\ncpu cores\t: 8\n\nprocessor\t: 1\nmodel name\t: X\ncpu cores\t: 8\n\n";
  CHECK(cpuinfo_text(host, 1) == "processor\t: 0\nmodel name\t: X\ncpu cores\t: 1\n\n");
  CHECK(cpuinfo_text(host, 5).find("processor\t: 1\n") != std::string::npos);
  CHECK(cpuinfo_text("", 3).empty());
}

TEST_CASE("hosts") {
  CHECK(hosts_text("box", {{"10.0.0.2", "db"}}) ==
        "127.0.0.1\tlocalhost\n127.0.1.1\tbox\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.2\tdb\n");
}
