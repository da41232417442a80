#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <optional>

#include "db/aside.h"
#include "db/migrate.h"
#include "db/writer.h"

namespace sebring::db {
namespace {

struct Fixture {
  Fixture() {
    char name[] = "/tmp/sebring-db-XXXXXX";
    SB_ASSERT(mkdtemp(name) != nullptr);
    directory = name;
  }
  ~Fixture() { std::filesystem::remove_all(directory); }
  std::string path() const { return directory + "/test.db"; }
  Connection open(Connection::Mode mode) { return std::move(Connection::open(path(), mode)).value(); }
  std::int64_t count() {
    auto reader = open(Connection::Mode::read);
    auto query = reader.query("SELECT count(*) FROM t").value();
    query.step().value();
    return query.integer(0);
  }
  std::string directory;
};

constexpr const char* kSteps[] = {"CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER) STRICT",
                                  "ALTER TABLE t ADD COLUMN w TEXT"};

Work insert(std::string key, std::int64_t value) {
  return [key = std::move(key), value](Connection& connection) -> Result<void> {
    SB_CHECK(connection.run("INSERT INTO t (k, v) VALUES (?, ?)", key, value));
    return {};
  };
}

TEST_CASE("steps are taken once, a newer file is refused") {
  Fixture fixture;
  {
    auto connection = fixture.open(Connection::Mode::write);
    REQUIRE(migrate(connection, std::span(kSteps).first(1)));
    REQUIRE(connection.run("INSERT INTO t (k) VALUES ('kept')"));
  }
  auto connection = fixture.open(Connection::Mode::write);
  REQUIRE(migrate(connection, kSteps));
  REQUIRE(migrate(connection, kSteps));
  CHECK(connection.run("UPDATE t SET w='x' WHERE k='kept'").value() == 1);
  CHECK_FALSE(migrate(connection, std::span(kSteps).first(1)));
  constexpr const char* kBroken[] = {kSteps[0], kSteps[1], "CREATE TABLE u (a TEXT); NONSENSE"};
  CHECK_FALSE(migrate(connection, kBroken));
  CHECK_FALSE(connection.run("SELECT * FROM u"));
  CHECK(migrate(connection, kSteps));
}

TEST_CASE("values come back as they went in") {
  Fixture fixture;
  auto connection = fixture.open(Connection::Mode::write);
  REQUIRE(migrate(connection, kSteps));
  const std::string odd("a\0b\xff'\"", 6);
  REQUIRE(connection.run("INSERT INTO t (k, v, w) VALUES (?, ?, ?)", odd, std::int64_t{1} << 62, std::nullopt));
  REQUIRE(connection.run("INSERT INTO t (k, v, w) VALUES (?, ?, ?)", "", true, std::optional<std::string>("")));
  auto query = connection.query("SELECT k, v, w FROM t ORDER BY k").value();
  REQUIRE(query.step().value());
  CHECK(query.text(0).empty());
  CHECK(query.boolean(1));
  CHECK(query.optional_text(2) == "");
  REQUIRE(query.step().value());
  CHECK(query.text(0) == odd);
  CHECK(query.integer(1) == std::int64_t{1} << 62);
  CHECK_FALSE(query.optional_text(2));
  CHECK_FALSE(query.step().value());
}

TEST_CASE("errors say what the caller can do") {
  Fixture fixture;
  auto connection = fixture.open(Connection::Mode::write);
  REQUIRE(migrate(connection, kSteps));
  REQUIRE(connection.run("INSERT INTO t (k) VALUES ('a')"));
  auto twice = connection.run("INSERT INTO t (k) VALUES ('a')");
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code() == Errc::conflict);
  CHECK(twice.error().tag() == "unique");
  CHECK(connection.run("INSERT INTO t (k, v) VALUES ('b', 'text')").error().code() == Errc::internal);
  CHECK(connection.run("SELEC").error().code() == Errc::internal);
  CHECK(Connection::open("/nonexistent/x.db", Connection::Mode::write).error().code() == Errc::internal);
  auto reader = fixture.open(Connection::Mode::read);
  CHECK_FALSE(reader.run("DELETE FROM t"));
  REQUIRE(connection.script("PRAGMA max_page_count=8"));
  auto full = connection.run("INSERT INTO t (k) VALUES (hex(zeroblob(1000000)))");
  REQUIRE_FALSE(full);
  CHECK(full.error().code() == Errc::unavailable);
  CHECK(full.error().tag() == "full");
  CHECK(connection.run("DELETE FROM t"));
}

TEST_CASE("transactions share commits, fail alone, and are told in order") {
  Fixture fixture;
  boost::asio::io_context io{1};
  {
    auto connection = fixture.open(Connection::Mode::write);
    REQUIRE(migrate(connection, kSteps));
    Writer writer(std::move(connection), io.get_executor());
    std::vector<int> told;
    std::vector<bool> good;
    for (int i = 0; i < 300; ++i) {
      auto pending = writer.submit(insert("k" + std::to_string(i % 290), i), i % 3 == 0 ? Urgency::lazy : Urgency::now);
      boost::asio::co_spawn(io, pending.wait(), [&, i](std::exception_ptr, Result<void> done) {
        told.push_back(i);
        good.push_back(done.has_value());
      });
    }
    while (told.size() < 300) io.run_one();
    CHECK(std::ranges::is_sorted(told));
    CHECK(std::ranges::count(good, false) == 10);
    CHECK(fixture.count() == 290);
  }
}

TEST_CASE("a lazy write waits for a prompt one, but not for ever") {
  Fixture fixture;
  boost::asio::io_context io{1};
  auto connection = fixture.open(Connection::Mode::write);
  REQUIRE(migrate(connection, kSteps));
  Writer writer(std::move(connection), io.get_executor());
  bool told = false;
  boost::asio::co_spawn(io, writer.write(insert("a", 1), Urgency::lazy),
                        [&](std::exception_ptr, Result<void>) { told = true; });
  while (!told) io.run_one();
  CHECK(fixture.count() == 1);
  auto pending = writer.submit(insert("b", 2), Urgency::lazy);
  boost::asio::co_spawn(io, writer.write(insert("c", 3)), [](std::exception_ptr, Result<void>) {});
  told = false;
  io.restart();
  boost::asio::co_spawn(io, pending.wait(), [&](std::exception_ptr, Result<void>) { told = true; });
  while (!told) io.run_one();
  CHECK(fixture.count() == 3);
}

TEST_CASE("an unsynced write is seen at once, and only a commit without any other does not wait for the disk") {
  Fixture fixture;
  boost::asio::io_context io{1};
  auto connection = fixture.open(Connection::Mode::write);
  REQUIRE(migrate(connection, kSteps));
  Writer writer(std::move(connection), io.get_executor());
  constexpr std::int64_t kNormal = 1, kFull = 2;
  auto level_of = [&](Urgency urgency, const char* key) {
    std::int64_t level = -1;
    bool told = false;
    auto work = [&level, key](Connection& c) -> Result<void> {
      // Its answer is found when it is prepared, and a text is prepared once.
      SB_TRY(auto query, c.query(std::string("PRAGMA synchronous --") + key));
      SB_CHECK(query.step());
      level = query.integer(0);
      return insert(key, 1)(c);
    };
    boost::asio::co_spawn(io, writer.write(std::move(work), urgency),
                          [&](std::exception_ptr, Result<void> done) { told = done.has_value(); });
    io.restart();
    while (!told) io.run_one();
    return level;
  };
  CHECK(level_of(Urgency::unsynced, "a") == kNormal);
  CHECK(fixture.count() == 1);
  CHECK(level_of(Urgency::now, "b") == kFull);
  CHECK(level_of(Urgency::unsynced, "c") == kNormal);
  (void)writer.submit(insert("d", 1), Urgency::lazy);
  CHECK(level_of(Urgency::unsynced, "e") == kFull);
  CHECK(fixture.count() == 5);
}

TEST_CASE("on a full disk the reserve is given up, the batch is tried again, and the reserve is taken back") {
  Fixture fixture;
  boost::asio::io_context io{1};
  const std::string reserve = fixture.path() + "-reserve";
  auto connection = fixture.open(Connection::Mode::write);
  REQUIRE(migrate(connection, kSteps));
  Writer writer(std::move(connection), io.get_executor(), Ballast(reserve, 100'000));
  REQUIRE(std::filesystem::file_size(reserve) == 100'000);
  CHECK_FALSE(writer.short_of_space());
  std::optional<Result<void>> outcome;
  // Full for as long as the reserve is there.
  const auto work = [reserve](Connection& c) -> Result<void> {
    if (std::filesystem::exists(reserve)) return fail(Errc::unavailable, "full", "full");
    return insert("a", 1)(c);
  };
  boost::asio::co_spawn(io, writer.write(work), [&](std::exception_ptr, Result<void> done) { outcome = done; });
  while (!outcome) io.run_one();
  CHECK(outcome->has_value());
  CHECK(fixture.count() == 1);
  CHECK(writer.short_of_space());
}

TEST_CASE("reads beside the loop see what is committed, in order, and are answered when all ends") {
  Fixture fixture;
  boost::asio::io_context io{1};
  const auto work = boost::asio::make_work_guard(io);
  auto connection = fixture.open(Connection::Mode::write);
  REQUIRE(migrate(connection, kSteps));
  std::optional<Aside> aside(std::in_place, fixture.open(Connection::Mode::read), io.get_executor());
  std::vector<std::int64_t> counts;
  std::size_t good = 0, refused = 0, failed = 0;
  auto ask = [&](Aside::Work what) {
    boost::asio::co_spawn(io, aside->run(std::move(what)), [&](std::exception_ptr, Result<void> done) {
      ++(done ? good : done.error().code() == Errc::exhausted ? refused : failed);
    });
  };
  auto count = [&](Connection& reader) -> Result<void> {
    SB_TRY(auto query, reader.query("SELECT count(*) FROM t"));
    SB_CHECK(query.step());
    counts.push_back(query.integer(0));
    return {};
  };
  ask(count);
  while (good < 1) io.run_one();
  REQUIRE(insert("a", 1)(connection));
  ask(count), ask(count);
  while (good < 3) io.run_one();
  CHECK(counts == std::vector<std::int64_t>{0, 1, 1});
  // An error does not end the thread, and too many are refused.
  for (int i = 0; i < 2'000; ++i) {
    ask([](Connection& reader) -> Result<void> {
      SB_CHECK(reader.query("SELECT nothing"));
      return {};
    });
  }
  while (refused + failed < 2'000) io.run_one();
  CHECK(failed >= 256);
  ask(count);
  while (io.poll_one() == 0) {
  }
  aside.reset();
  while (good + refused + failed < 2'004) io.run_one();
}

TEST_CASE("what was submitted is written before the writer ends") {
  Fixture fixture;
  boost::asio::io_context io{1};
  {
    auto connection = fixture.open(Connection::Mode::write);
    REQUIRE(migrate(connection, kSteps));
    Writer writer(std::move(connection), io.get_executor());
    for (int i = 0; i < 1000; ++i) (void)writer.submit(insert(std::to_string(i), i), Urgency::lazy);
  }
  CHECK(fixture.count() == 1000);
}

}  // namespace
}  // namespace sebring::db
