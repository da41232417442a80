#include "runner/journal.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>

#include "os/file.h"

using namespace sebring;
using namespace sebring::runner;

namespace {

struct Directory {
  std::string path;
  Directory() {
    char name[] = "/tmp/sebring-journal-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
};

Record record(const std::string& disk) {
  Record record;
  record.disk = disk;
  record.id = "id-" + disk;
  return record;
}

}  // namespace

TEST_CASE("what was durable is there again, what is gone is not, a torn line is dropped") {
  Directory directory;
  {
    auto journal = Journal::open(directory.path);
    REQUIRE(journal.has_value());
    CHECK((*journal)->take_records().empty());
    (*journal)->append(record("a"));
    (*journal)->append(record("b"));
    (*journal)->append_gone("a");
    Record changed = record("b");
    changed.hostname = "new";
    CHECK((*journal)->wait_durable((*journal)->append(changed)).has_value());
  }
  auto file = os::open_at(AT_FDCWD, directory.path + "/journal", O_WRONLY | O_APPEND);
  REQUIRE(file.has_value());
  REQUIRE(os::write_all(file->get(), R"({"disk":"c","id":"torn)").has_value());
  auto journal = Journal::open(directory.path);
  REQUIRE(journal.has_value());
  auto records = (*journal)->take_records();
  REQUIRE(records.size() == 1);
  CHECK(records["b"].hostname == "new");
}

TEST_CASE("a whole line that nobody understands is an error, not a silent loss") {
  Directory directory;
  REQUIRE(os::put_file_at(AT_FDCWD, directory.path + "/journal", "{\"disk\":\"a\",\"id\":\"x\"}\nnonsense\n", 0600)
              .has_value());
  CHECK(!Journal::open(directory.path).has_value());
}

TEST_CASE("it does not grow for ever") {
  Directory directory;
  auto journal = Journal::open(directory.path);
  REQUIRE(journal.has_value());
  Journal::Ticket last = 0;
  Record big = record("big");
  big.hostname = std::string(2000, 'x');
  for (int i = 0; i < 12'000; ++i) last = (*journal)->append(big);
  CHECK((*journal)->wait_durable(last).has_value());
  CHECK((*journal)->wait_durable((*journal)->append(big)).has_value());
  CHECK(std::filesystem::file_size(directory.path + "/journal") < (20 << 20));
}
