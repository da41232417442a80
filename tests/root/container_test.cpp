#include <doctest/doctest.h>

#include "fixture.h"

using namespace sebring;
using namespace sebring::test;

TEST_CASE("a container starts, runs commands as user and root, and is gone") {
  auto& machine = Machine::get();
  auto container = machine.start(machine.spec());
  auto who = run(container, "id -u; hostname; cat /etc/hostname; cat /etc/hosts; nproc; cat /proc/meminfo | head -2; ls /dev; df /");
  CHECK(who.status == 0);
  MESSAGE(who.text);
  auto root = run(container, "id; cat /proc/self/status | grep -E 'Cap|Seccomp'; cat /proc/self/mountinfo; cat /proc/self/cgroup; cat /proc/self/limits", 0);
  MESSAGE(root.text);
  machine.destroy(std::move(container));
}
