#include "toolbox/identity.h"

#include <doctest/doctest.h>

namespace sebring::toolbox {

namespace {

const AccountFiles kFiles{.passwd =
                              "# comment\n"
                              "root:x:0:0:root:/root:/bin/bash\r\n"
                              "broken\n"
                              ":x:5:5::/:/bin/sh\n"
                              "nan:x:a:5::/:/bin/sh\n"
                              "daytona:x:1000:1000:,,,:/home/daytona:/bin/zsh\n"
                              "nohome:x:1001:1001::relative:\n"
                              "2000:x:1002:1002::/named:/bin/sh\n"
                              "short:x:1003:1003:g:/h\n",
                          .group =
                              "root:x:0:\nsudo:x:27:daytona, "
                              "other\ndaytona:x:1000:\nbad:x:y:daytona\ndup:x:27:daytona\nusers:x:100:other,daytona"};

}  // namespace

TEST_CASE("users of an image") {
  struct Row {
    const char* user;
    const char* name;
    uid_t uid;
    gid_t gid;
    const char* home;
    const char* shell;
    std::vector<gid_t> groups;
  } rows[] = {{"", "root", 0, 0, "/root", "/bin/bash", {0}},
              {"root", "root", 0, 0, "/root", "/bin/bash", {0}},
              {"daytona", "daytona", 1000, 1000, "/home/daytona", "/bin/zsh", {1000, 27, 100}},
              {"1000", "daytona", 1000, 1000, "/home/daytona", "/bin/zsh", {1000, 27, 100}},
              {"daytona:users", "daytona", 1000, 100, "/home/daytona", "/bin/zsh", {100, 27}},
              {"1000:5", "daytona", 1000, 5, "/home/daytona", "/bin/zsh", {5, 27, 100}},
              {"nohome", "nohome", 1001, 1001, "/", "/bin/sh", {1001}},
              {"2000", "2000", 1002, 1002, "/named", "/bin/sh", {1002}},
              {"short", "short", 1003, 1003, "/h", "/bin/sh", {1003}},
              {"4242", "4242", 4242, 4242, "/", "/bin/sh", {4242}},
              {"4242:7", "4242", 4242, 7, "/", "/bin/sh", {7}}};
  for (const Row& row : rows) {
    CAPTURE(row.user);
    auto identity = find_identity(row.user, kFiles);
    REQUIRE(identity.has_value());
    CHECK(identity->name == row.name);
    CHECK(identity->uid == row.uid);
    CHECK(identity->gid == row.gid);
    CHECK(identity->home == row.home);
    CHECK(identity->shell == row.shell);
    CHECK(identity->groups == row.groups);
  }
}

TEST_CASE("users that are not there") {
  for (const char* user :
       {"nobody", "nan", "broken", "-1", "4294967295", "4294967296", "1000x", "daytona:nogroup", " root", ":nogroup"}) {
    CAPTURE(user);
    CHECK(!find_identity(user, kFiles).has_value());
  }
}

TEST_CASE("an image without passwd has root and numbers") {
  const AccountFiles none;
  CHECK(find_identity("", none)->home == "/root");
  CHECK(find_identity("root", none)->uid == 0);
  CHECK(find_identity("33", none)->home == "/");
  CHECK(!find_identity("daytona", none).has_value());
}

TEST_CASE("owners and groups by name or number") {
  CHECK(find_uid("daytona", kFiles.passwd) == 1000U);
  CHECK(find_uid("17", kFiles.passwd) == 17U);
  CHECK(find_gid("sudo", kFiles.group) == 27U);
  CHECK(!find_uid("nobody", kFiles.passwd));
  CHECK(!find_gid("", kFiles.group));
  CHECK(!find_gid("-3", kFiles.group));
}

TEST_CASE("files that are none are empty") {
  CHECK(read_image_file("/dev/zero").empty());
  CHECK(read_image_file("/proc/self/mem").empty());
  CHECK(read_image_file("/nonexistent").empty());
  CHECK(read_image_file("/etc").empty());
}

}  // namespace sebring::toolbox
