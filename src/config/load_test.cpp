#include "config/load.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/config_file.h"
#include "config/instance.h"

namespace sebring::config {
namespace {

struct Directory {
  Directory() {
    char name[] = "/tmp/sebring-config-XXXXXX";
    path = mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path + "/" + name) << text; }
  std::string path;
};

const Value& value_of(const Loaded& loaded, std::string_view name) {
  return loaded.values[static_cast<std::size_t>(find_setting(name) - settings().data())];
}

}  // namespace

TEST_CASE("flag wins over environment over file over default") {
  Directory directory;
  directory.write("sebring.conf", "# comment\n\nslots = 1\nlisten= 127.0.0.1:1\nlog-level =debug\n");
  auto loaded = load({.flags = {{"data-dir", directory.path}, {"slots", "3"}},
                      .environment = {{"SEBRING_SLOTS", "2"}, {"SEBRING_LISTEN", "127.0.0.1:2"}, {"PATH", "/bin"}}});
  REQUIRE(loaded);
  CHECK(loaded->config.slots == 3);
  CHECK(loaded->config.listen == "127.0.0.1:2");
  CHECK(loaded->config.log_level == "debug");
  CHECK(loaded->config.stop_sandboxes_on_exit);
  CHECK(value_of(*loaded, "slots").where == "--slots");
  CHECK(value_of(*loaded, "listen").where == "SEBRING_LISTEN");
  CHECK(value_of(*loaded, "log-level").where == directory.path + "/sebring.conf:5");
  CHECK(value_of(*loaded, "dns").origin == Origin::default_value);
  CHECK(loaded->file == directory.path + "/sebring.conf");
}

TEST_CASE("errors name the key and its place") {
  Directory directory;
  struct Row {
    std::string file;
    std::vector<NameValue> environment, flags;
    std::string_view expected;
  } rows[] = {
      {"slotz = 1\n", {}, {}, ":1: unknown setting \"slotz\""},
      {"\nslots = many\n", {}, {}, ":2: slots: \"many\" is not 0 to 4096"},
      {"slots\n", {}, {}, ":1: expected `name = value`"},
      {"= 3\n", {}, {}, ":1: expected `name = value`"},
      {"slots = 1\nslots = 2\n", {}, {}, ":2: slots stands already in line 1"},
      {"[section]\n", {}, {}, ":1: expected"},
      {"data-dir = /elsewhere\n", {}, {}, "data-dir can not be set in the file that lies in it"},
      {"", {{"SEBRING_SLOT", "1"}}, {}, "unknown setting SEBRING_SLOT"},
      {"", {{"SEBRING_SLOTS", "x"}}, {}, "SEBRING_SLOTS: slots: \"x\""},
      {"", {}, {{"slots", "-1"}}, "--slots: slots: \"-1\""},
      {"", {}, {{"nope", "1"}}, "unknown setting --nope"},
      {"", {{"SEBRING_CONFIG", "/nonexistent/x"}}, {}, "open /nonexistent/x"},
  };
  for (Row& row : rows) {
    CAPTURE(row.expected);
    directory.write("sebring.conf", row.file);
    row.flags.emplace_back("data-dir", directory.path);
    auto loaded = load({.flags = row.flags, .environment = row.environment});
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().message().find(row.expected) != std::string::npos);
    CAPTURE(loaded.error().message());
  }
}

TEST_CASE("a named file must exist and may move data-dir") {
  Directory directory;
  directory.write("a.conf", "data-dir = /somewhere\n");
  auto loaded = load({.environment = {{"SEBRING_API_KEY", "k"}}, .file = directory.path + "/a.conf"});
  REQUIRE(loaded);
  CHECK(loaded->config.data_dir == "/somewhere");
  CHECK_FALSE(load({.file = directory.path + "/b.conf"}));
}

TEST_CASE("serialise and back") {
  auto loaded = load({.flags = {{"data-dir", "/nonexistent/d"}, {"slots", "7"}, {"stop-sandboxes-on-exit", "no"}}});
  REQUIRE(loaded);
  auto back = deserialise(serialise(loaded->config));
  REQUIRE(back);
  CHECK(serialise(*back) == serialise(loaded->config));
  CHECK(back->slots == 7);
  CHECK_FALSE(back->stop_sandboxes_on_exit);
}

TEST_CASE("instance id is made once, and never guessed from a broken file") {
  Directory directory;
  CHECK(read_instance(directory.path).error().code() == Errc::not_found);
  auto first = ensure_instance(directory.path);
  REQUIRE(first);
  CHECK(is_instance_id(*first));
  CHECK(ensure_instance(directory.path) == *first);
  CHECK(read_instance(directory.path) == *first);
  directory.write("instance", "");
  CHECK_FALSE(ensure_instance(directory.path));
  for (std::string_view bad : {"", "abcd", "abcdef", "1bcde", "aBcde", "ab/de"}) CHECK_FALSE(is_instance_id(bad));
}

}  // namespace sebring::config
