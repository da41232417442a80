// R1, R2: reaching a limit hurts that sandbox only, and it can still be stopped, started and deleted.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "fixture.h"
#include "os/pidfd.h"

using namespace sebring;
using namespace sebring::test;

TEST_CASE("a full disk: EDQUOT inside, neighbours write on, it stops, starts, is emptied and deleted") {
  auto& machine = Machine::get();
  if (!machine.host().pool().hard_limits()) {
    MESSAGE("SKIP: this pool has no hard limits");
    return;
  }
  auto full = machine.start(machine.spec()), neighbour = machine.start(machine.spec());
  auto filled = run(full, "dd if=/dev/urandom of=/home/fill bs=1M count=200; sync", 0);
  CHECK_MESSAGE(filled.text.find("quota") != std::string::npos, filled.text);
  CHECK(run(full,
            "i=0; while echo x > /home/small$i; do i=$((i+1)); [ $i -lt 100000 ] || break; done 2>/dev/null; mkdir "
            "/home/no || true",
            0)
            .text.find("quota") != std::string::npos);
  CHECK(run(neighbour, "dd if=/dev/urandom of=/home/fine bs=1M count=20 2>/dev/null && sync && echo fine", 0).text ==
        "fine\n");
  auto spec = machine.spec();
  spec.upper = full.upper;
  spec.write_files = true;
  machine.destroy(std::move(full), false);
  machine.cleanup().wait_until_empty(10'000);
  full = machine.start(spec);
  machine.slots().give_back_upper(std::move(full.unused_upper));
  // The room comes back with a commit, and is counted a moment later.
  CHECK(run(full,
            "rm -rf /home/fill /home/small* && sync; for i in $(seq 300); do echo y > /home/again && break; sleep 0.1; "
            "done 2>/dev/null; cat /home/again",
            0)
            .text == "y\n");
  machine.destroy(std::move(full));
  machine.destroy(std::move(neighbour));
}

TEST_CASE("memory: the user's process dies, PID 1 lives, the count tells") {
  auto& machine = Machine::get();
  auto spec = machine.spec();
  spec.limits.memory_bytes = 64 << 20;
  auto container = machine.start(spec);
  CHECK(run(container, "probe memory 200").status == 137);
  CHECK(run(container, "echo alive").text == "alive\n");
  // A full /dev/shm holds at most half and outlives its writer; commands still run.
  run(container, "dd if=/dev/zero of=/dev/shm/fill bs=1M count=200 2>/dev/null");
  CHECK(run(container, "stat -c %s /dev/shm/fill").text == "33554432\n");
  CHECK(run(container, "echo alive").text == "alive\n");
  auto usage = machine.host().cgroups().usage(runtime::name_of(container.index));
  REQUIRE(usage.has_value());
  CHECK(usage->oom_kills >= 1);
  CHECK(usage->memory_limit_bytes == 64 << 20);
  CHECK(!os::wait_pidfd(container.pidfd.get(), 0));
  machine.destroy(std::move(container));
}

TEST_CASE("processes and terminals are bounded") {
  auto& machine = Machine::get();
  auto container = machine.start(machine.spec());
  auto pids = run(container, "probe pids");
  CHECK_MESSAGE(pids.status != 0, pids.text);  // it kills itself with the others
  CHECK(run(container, "echo alive").text == "alive\n");
  auto ptys = run(container, "probe ptys").text;
  CHECK_MESSAGE((ptys == "ptys 256 ENOSPC\n" || ptys == "ptys 256 EIO\n"), ptys);
  machine.destroy(std::move(container));
}

TEST_CASE("what the kernel counts per user is counted per sandbox") {
  auto& machine = Machine::get();
  auto greedy = machine.start(machine.spec()), other = machine.start(machine.spec());
  run(greedy, "probe inotify 20 >/tmp/count 2>&1 & until [ -s /tmp/count ]; do sleep 0.05; done", 0);
  auto text = run(other, "probe inotify 0", 0).text;
  CHECK_MESSAGE(text == run(greedy, "cat /tmp/count", 0).text, text);
  machine.destroy(std::move(greedy));
  machine.destroy(std::move(other));
}

TEST_CASE("limits change while it runs") {
  auto& machine = Machine::get();
  auto container = machine.start(machine.spec());
  runtime::Limits limits = machine.spec().limits;
  limits.memory_bytes = 512 << 20;
  limits.cpus = 2;
  REQUIRE(runtime::apply_limits(machine.host(), container.index, limits).has_value());
  auto text = run(container, "grep MemTotal /proc/meminfo; nproc").text;
  CHECK(text == "MemTotal:         524288 kB\n" + std::to_string(std::min(2, machine.host().cpus().count())) + "\n");
  limits.memory_bytes = 32 << 20;
  REQUIRE(runtime::apply_limits(machine.host(), container.index, limits).has_value());
  CHECK(run(container, "probe memory 100").status == 137);
  machine.destroy(std::move(container));
}

TEST_CASE("no quota group outlives its subvolume for long, nor where a copy outlived the original") {
  auto& machine = Machine::get();
  auto& pool = machine.host().pool();
  if (pool.kind() != image::PoolKind::loop || !pool.hard_limits()) return;
  const auto look = [&pool] {
    REQUIRE(pool.sync().has_value());
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    auto gone = pool.remove_unused_quotas();
    REQUIRE(gone.has_value());
    return *gone;
  };
  // The kernel drops subvolumes when it likes to; it leaves a group behind where the original was dropped first.
  std::size_t removed = 0;
  for (int round = 0; round < 10 && removed == 0; ++round) {
    auto parent = machine.start(machine.spec());
    run(parent, "dd if=/dev/urandom of=/home/data bs=1M count=5 2>/dev/null; sync", 0);
    REQUIRE(pool.copy_upper(parent.upper, "u-outlives", 64 << 20).has_value());
    machine.destroy(std::move(parent));
    for (int i = 0; i < 5; ++i) removed += look();
    REQUIRE(pool.destroy_upper("u-outlives").has_value());
    for (int i = 0; i < 10 && removed == 0; ++i) removed += look();
  }
  CHECK(removed > 0);
  // Those of living subvolumes stay.
  auto living = machine.start(machine.spec());
  for (int i = 0; i < 3; ++i) look();
  CHECK(run(living, "dd if=/dev/urandom of=/home/large bs=1M count=100", 0).text.find("quota") != std::string::npos);
  machine.destroy(std::move(living));
}

TEST_CASE("a fork is a copy as of now; both may then write their whole plan") {
  auto& machine = Machine::get();
  auto parent = machine.start(machine.spec());
  run(parent,
      "dd if=/dev/urandom of=/home/data bs=1M count=30 2>/dev/null; ln /home/data /home/link; echo one > /home/word; "
      "sync",
      0);
  auto& pool = machine.host().pool();
  REQUIRE(pool.copy_upper(parent.upper, "u-fork", 64 << 20).has_value());
  REQUIRE(pool.extend_limit_after_fork(parent.upper, 64 << 20).has_value());
  run(parent, "echo two > /home/word", 0);
  auto spec = machine.spec();
  spec.upper = "u-fork";
  auto child = machine.start(spec);
  machine.slots().give_back_upper(std::move(child.unused_upper));
  CHECK(run(child, "cat /home/word; stat -c %h /home/data").text == "one\n2\n");
  CHECK(run(parent, "cat /home/word").text == "two\n");
  CHECK(run(child, "probe inodes", 0).text.find("collisions 0") != std::string::npos);
  CHECK(run(parent,
            "rm /home/data /home/link; dd if=/dev/urandom of=/home/new bs=1M count=50 2>/dev/null && sync && echo fits",
            0)
            .text == "fits\n");
  // Classic quotas (before Linux 6.7) count what a fork holds together with its parent, simple ones do not.
  CHECK(run(child,
            "rm /home/data /home/link; dd if=/dev/urandom of=/home/new bs=1M count=50 2>/dev/null && sync && echo fits",
            0)
            .text == "fits\n");
  if (pool.hard_limits())
    CHECK(run(child, "dd if=/dev/urandom of=/home/more bs=1M count=50", 0).text.find("quota") != std::string::npos);
  machine.destroy(std::move(parent));
  machine.destroy(std::move(child));
}
