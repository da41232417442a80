#include "toolbox/hosts_block.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "base/random.h"

using namespace sebring;
using namespace sebring::toolbox;

namespace {

const std::string kOwn = "127.0.0.1\tlocalhost\n10.1.2.3 mine # a note\n";

struct Directory {
  Directory() : path("/tmp/sebring-hosts-" + random_hex(8)) { REQUIRE(::mkdir(path.c_str(), 0700) == 0); }
  ~Directory() {
    for (auto name : {"/hosts", "/other", "/link"}) ::unlink((path + name).c_str());
    ::rmdir(path.c_str());
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path + name) << text;
    return path + name;
  }
  static std::string read(const std::string& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::string path;
};

}  // namespace

TEST_CASE("hosts block: comes, changes and goes, and the rest stays") {
  const std::string one = with_neighbours(kOwn, {{"100.64.0.7", {"some-id", "db"}}});
  CHECK(one.starts_with(kOwn));
  CHECK(one.find("100.64.0.7\tsome-id db\n") != std::string::npos);
  const std::string two = with_neighbours(one, {{"100.64.0.8", {"some-id", "db"}}, {"100.64.0.9", {"x"}}});
  CHECK(two.starts_with(kOwn));
  CHECK(two.find("100.64.0.7") == std::string::npos);
  CHECK(two.find("100.64.0.9\tx\n") != std::string::npos);
  CHECK(with_neighbours(two, {}) == kOwn);
  CHECK(with_neighbours(kOwn, {}) == kOwn);
  // What somebody wrote behind it stays, and a file without an end of line gets one.
  CHECK(with_neighbours(one + "1.2.3.4 late\n", {}) == kOwn + "1.2.3.4 late\n");
  CHECK(with_neighbours("1.2.3.4 a", {{"100.64.0.7", {"b"}}}).starts_with("1.2.3.4 a\n#"));
  // The end mark was taken away: nothing of the user's is lost.
  const std::string cut = one.substr(0, one.find("# end")) + "1.2.3.4 late\n";
  CHECK(with_neighbours(cut, {}).ends_with("1.2.3.4 late\n"));
}

TEST_CASE("hosts block: only plain files are written") {
  Directory directory;
  const std::vector<Neighbour> some{{"100.64.0.7", {"b"}}};
  const std::string hosts = directory.write("/hosts", kOwn);
  CHECK(write_neighbours(hosts, some).has_value());
  CHECK(Directory::read(hosts) == with_neighbours(kOwn, some));
  CHECK(write_neighbours(hosts, {}).has_value());
  CHECK(Directory::read(hosts) == kOwn);

  const std::string other = directory.write("/other", "other\n"), link = directory.path + "/link";
  REQUIRE(::symlink(other.c_str(), link.c_str()) == 0);
  (void)write_neighbours(link, some);
  CHECK(Directory::read(other) == "other\n");
  ::unlink(link.c_str());
  REQUIRE(::link(other.c_str(), link.c_str()) == 0);
  (void)write_neighbours(link, some);
  CHECK(Directory::read(other) == "other\n");
  ::unlink(link.c_str());
  CHECK(write_neighbours(link, {}).has_value());  // there is none: nothing to take out
  CHECK(::access(link.c_str(), F_OK) != 0);
}

TEST_CASE("hosts block: what would be more than a line is refused") {
  CHECK(parse_neighbours(R"({"hosts":[]})").has_value());
  auto good = parse_neighbours(R"({"hosts":[{"address":"100.64.0.7","names":["a-1","B.c_d"]}]})");
  REQUIRE(good.has_value());
  CHECK(good->front().names.size() == 2);
  for (const char* bad : {
           R"({})",
           R"({"hosts":{}})",
           R"({"hosts":["a"]})",
           R"({"hosts":[{"address":"100.64.0.7"}]})",
           R"({"hosts":[{"address":"100.64.0.7","names":[]}]})",
           R"({"hosts":[{"address":"100.64.0.7\n1.2.3.4","names":["a"]}]})",
           R"({"hosts":[{"address":"host","names":["a"]}]})",
           R"({"hosts":[{"address":"::1","names":["a"]}]})",
           R"({"hosts":[{"address":"100.64.0.7","names":["a b"]}]})",
           R"({"hosts":[{"address":"100.64.0.7","names":["a\nb"]}]})",
           R"({"hosts":[{"address":"100.64.0.7","names":["a#"]}]})",
           R"({"hosts":[{"address":"100.64.0.7","names":[""]}]})",
           R"({"hosts":[{"address":"100.64.0.7","names":["localhost"]}]})",
           R"({"hosts":[{"address":"100.64.0.7","names":["a","b","c","d","e","f","g","h","i"]}]})",
       }) {
    INFO(bad);
    CHECK_FALSE(parse_neighbours(bad).has_value());
  }
}
