#include <doctest/doctest.h>

#include "fixture.h"

using namespace sebring;
using namespace sebring::test;

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
