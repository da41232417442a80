#include "cli/profile.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sebring::cli {
namespace {

struct Directory {
  Directory() {
    char name[] = "/tmp/sebring-profile-XXXXXX";
    path = mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

}  // namespace

TEST_CASE("profile is written for its owner only, and read back") {
  Directory directory;
  const std::string path = home_profile_path(directory.path);
  REQUIRE(write_profile(path, {.url = "http://x/api", .key = "k", .toolbox_url = "http://x/toolbox"}, true));
  REQUIRE(write_profile(path, {.url = "http://y/api", .key = "k", .toolbox_url = "http://y/toolbox"}, true));
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  auto profile = read_profile(path);
  REQUIRE(profile);
  CHECK(profile->url == "http://y/api");
  CHECK(profile->key == "k");
  CHECK(profile->toolbox_url == "http://y/toolbox");
  CHECK(profile->source == path);
  CHECK(std::distance(std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()), {}) == 1);
}

TEST_CASE("order of sources") {
  Directory home, data;
  std::ofstream(data.path + "/instance") << "abcde\n";
  REQUIRE(write_profile(home_profile_path(home.path), {.url = "http://home/api", .key = "kh", .data_dir = data.path},
                        true));
  REQUIRE(write_profile(data.path + "/profile.json", {.url = "http://data/api", .key = "kd"}, false));
  struct Row {
    ProfileSources sources;
    std::string_view url, key;
  } rows[] = {
      {{.home = home.path}, "http://home/api", "kh"},
      {{.key = "x", .home = home.path}, "http://home/api", "x"},
      {{.data_dir = data.path, .home = home.path}, "http://data/api", "kd"},
      {{.home = home.path, .environment = {{"SEBRING_DATA_DIR", data.path}}}, "http://data/api", "kd"},
      {{.data_dir = data.path, .home = home.path, .environment = {{"DAYTONA_API_URL", "http://env/api"}}},
       "http://data/api",
       "kd"},
      {{.home = home.path, .environment = {{"DAYTONA_API_URL", "http://env/api"}, {"DAYTONA_API_KEY", "ke"}}},
       "http://env/api",
       "ke"},
      {{.home = home.path,
        .environment = {{"DAYTONA_API_URL", "http://d/api"},
                        {"SEBRING_API_URL", "http://s"},
                        {"SEBRING_API_KEY", "ks"}}},
       "http://s/api",
       "ks"},
      {{.url = "http://flag/", .home = home.path, .environment = {{"SEBRING_API_KEY", "ks"}}}, "http://flag/api", "ks"},
      {{.url = "http://flag/base", .home = home.path}, "http://flag/base", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    auto profile = find_profile(row.sources);
    REQUIRE(profile);
    CHECK(profile->url == row.url);
    CHECK(profile->key == row.key);
  }
}

TEST_CASE("what is no profile") {
  Directory directory;
  CHECK(read_profile(directory.path + "/none").error().code() == Errc::not_found);
  for (std::string_view text :
       {"", "{", "[]", "{}", "{\"url\":1}", "{\"url\":\"\"}", "{\"url\":\"x\",\"key\":false}"}) {
    CAPTURE(text);
    const std::string path = directory.path + "/p.json";
    std::ofstream(path) << text;
    auto profile = read_profile(path);
    REQUIRE_FALSE(profile);
    CHECK(profile.error().message().find(path) != std::string::npos);
  }
  auto none = find_profile({.data_dir = directory.path + "/nothing"});
  REQUIRE_FALSE(none);
  CHECK(none.error().message().find("sebring up --data-dir") != std::string::npos);
}

}  // namespace sebring::cli
