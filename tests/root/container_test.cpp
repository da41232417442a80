#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "fixture.h"

using namespace sebring;
using namespace sebring::test;

TEST_SUITE_BEGIN("short");

TEST_CASE("a container starts, runs commands, is stopped and starts again with its disk") {
  auto& machine = Machine::get();
  auto container = machine.start(machine.spec());
  CHECK(run(container, "id -u; hostname; cat /etc/hostname").text == "1000\nbox-one\nbox-one\n");
  CHECK(
      run(container, "echo kept > /root/kept; rm /bin/tail; cat /etc/resolv.conf", 0).text.starts_with("nameserver "));
  auto spec = machine.spec();
  spec.upper = container.upper;
  spec.hostname = "box-two";
  spec.write_files = true;
  machine.destroy(std::move(container), false);
  machine.cleanup().wait_until_empty(10'000);
  container = machine.start(spec);
  CHECK(run(container, "cat /root/kept; ls /bin/tail 2>/dev/null; hostname; cat /etc/hostname; sed -n 2p /etc/hosts", 0)
            .text == "kept\nbox-two\nbox-two\n127.0.1.1\tbox-two\n");
  machine.slots().give_back_upper(std::move(container.unused_upper));
  machine.destroy(std::move(container));
}

TEST_CASE("what a user made of /etc is left alone at a start") {
  auto& machine = Machine::get();
  auto container = machine.start(machine.spec());
  run(container,
      "cd /etc; rm hosts; ln -s /root/secret hosts; echo x > /root/secret; rm resolv.conf; mkdir resolv.conf; mv "
      "/proc2 /x",
      0);
  auto spec = machine.spec();
  spec.upper = container.upper;
  spec.write_files = true;
  machine.destroy(std::move(container), false);
  machine.cleanup().wait_until_empty(10'000);
  container = machine.start(spec);
  CHECK(run(container, "cat /root/secret; readlink /etc/hosts; ls -d /etc/resolv.conf", 0).text ==
        "x\n/root/secret\n/etc/resolv.conf\n");
  machine.slots().give_back_upper(std::move(container.unused_upper));
  machine.destroy(std::move(container));
}

TEST_CASE("an image of many layers starts, the topmost wins") {
  auto& machine = Machine::get();
  auto spec = machine.spec();
  const std::string base = "/proc/self/fd/" + std::to_string(machine.host().pool().layers()) + "/many-";
  constexpr int kMany = 40;
  for (int i = 0; i < kMany; ++i) {
    std::filesystem::create_directories(base + std::to_string(i) + "/etc");
    std::ofstream(base + std::to_string(i) + "/etc/top") << i << "\n";
    spec.layers.push_back("layers/many-" + std::to_string(i));
  }
  auto container = machine.start(spec);
  CHECK(run(container, "cat /etc/top; echo x > /etc/top && cat /etc/top", 0).text ==
        std::to_string(kMany - 1) + "\nx\n");
  machine.destroy(std::move(container));
  machine.cleanup().wait_until_empty(10'000);
  for (int i = 0; i < kMany; ++i) std::filesystem::remove_all(base + std::to_string(i));
}

TEST_SUITE_END();
