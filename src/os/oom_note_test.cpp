#include "os/oom_note.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/unique_fd.h"

using namespace sebring;
using namespace sebring::os;

TEST_CASE("notes about victims") {
  char path[] = "/var/tmp/sebring-note-XXXXXX";
  REQUIRE(::mkdtemp(path));
  UniqueFd directory(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(directory);
  CHECK(!read_oom_note(-1));
  CHECK(!read_oom_note(directory.get()));
  auto written = write_oom_note(directory.get(), {.number = 7, .victim = "py thon\x01\"3"});
  if (!written && written.error().os_errno() == EOPNOTSUPP) {
    MESSAGE("SKIP: no attributes in ", path);
  } else {
    REQUIRE(written);
    const auto note = read_oom_note(directory.get());
    REQUIRE(note);
    CHECK(note->number == 7);
    CHECK(note->victim == "py thon\x01\"3");
    for (const std::string bad : {"", "7", "7 ", "x y", "-1 y", " y", "99999999999999999999999 y"}) {
      CAPTURE(bad);
      REQUIRE(::fsetxattr(directory.get(), "user.sebring.oom", bad.data(), bad.size(), 0) == 0);
      CHECK(!read_oom_note(directory.get()));
    }
  }
  ::rmdir(path);
}
