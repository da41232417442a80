#include "toolbox/as_user.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

using namespace sebring;
using namespace sebring::toolbox;

namespace {

constexpr uid_t kUser = 12345;

bool can_read(const std::string& path) { return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)).get() >= 0; }

}  // namespace

TEST_CASE("file rights of the user, with and without the kernel's help") {
  if (::geteuid() != 0) return;  // nothing to switch to
  std::string directory = "/tmp/sebring-as-user-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const std::string secret = directory + "/secret";
  REQUIRE(UniqueFd(::open(secret.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).get() >= 0);
  REQUIRE(::chmod(directory.c_str(), 0777) == 0);
  for (const unsigned long bits : {0ul, static_cast<unsigned long>(SECBIT_NO_SETUID_FIXUP)}) {
    std::thread([&] {  // the setting is a thread's
      REQUIRE(::prctl(PR_SET_SECUREBITS, bits) == 0);
      CHECK(can_read(secret));
      {
        AsUser user(kUser, kUser);
        CHECK_FALSE(can_read(secret));
        const std::string made = directory + "/made";
        CHECK(::mkdir(made.c_str(), 0700) == 0);
        struct stat info{};
        CHECK(::stat(made.c_str(), &info) == 0);
        CHECK(info.st_uid == kUser);
        CHECK(info.st_gid == kUser);
        ::rmdir(made.c_str());
      }
      CHECK(can_read(secret));
    })
        .join();
  }
  ::unlink(secret.c_str());
  ::rmdir(directory.c_str());
}
