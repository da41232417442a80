#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "fixture.h"
#include "os/mount.h"

int main(int argc, char** argv) {
  if (::geteuid() != 0) {
    std::puts("SKIP: these tests need root");
    return 77;
  }
  // Names of groups, tables and namespaces are fixed, so that what a killed run has left is found: one run at a time.
  int lock = ::open("/run/sebring-root-test.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || ::flock(lock, LOCK_EX) < 0) return 1;
  // Before any thread: everything that tests mount dies with this process.
  if (::unshare(CLONE_NEWNS) < 0 || !sebring::os::make_mounts_private()) {
    std::puts("SKIP: no mount namespace of our own (are we in a container?)");
    return 77;
  }
  doctest::Context context(argc, argv);
  auto before = sebring::test::traces();
  int result = context.run();
  sebring::test::Machine::shut_down();
  for (const auto& trace : sebring::test::traces()) {
    if (std::find(before.begin(), before.end(), trace) != before.end()) continue;
    std::printf("LEFT OVER: %s\n", trace.c_str());
    result = 1;
  }
  return result;
}
