#include "control/copies.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "control/test_bench.h"

namespace sebring::control {
namespace {

using model::SandboxState;

model::Sandbox archived(TestBench& bench) {
  auto made = bench.create();
  bench.run(stop_sandbox(bench.control(), bench.organization, made.id, true)).value();
  bench.run(archive_sandbox(bench.control(), bench.organization, made.id)).value();
  REQUIRE(bench.until([&] { return bench.state(made.id) == SandboxState::archived && bench.runner.held.empty(); }));
  return bench.row(made.id);
}

void sweep(TestBench& bench) { bench.run(remove_unowned_copies(bench.control())).value(); }

TEST_CASE("archives and snapshots that a row names stay, others go") {
  TestBench bench;
  const auto kept = archived(bench);
  auto parent = bench.create();
  bench.run(snapshot_sandbox(bench.control(), bench.organization, parent.id, "kept")).value();
  REQUIRE(bench.runner.snapshots.size() == 1);
  const std::string owned = *bench.runner.snapshots.begin(), stranger = random_uuid();
  bench.runner.snapshots.insert(stranger);
  bench.runner.snapshots.insert("seed");                  // no name that we give
  bench.runner.archives.insert(kept.id + "-1.tar.zst");   // of an earlier time
  bench.runner.archives.insert(stranger + "-7.tar.zst");  // of nobody
  bench.runner.archives.insert("notes.txt");              // not ours
  sweep(bench);
  CHECK(bench.runner.snapshots == std::set<std::string>{owned, "seed"});
  CHECK(bench.runner.archives == std::set<std::string>{kept.archive->path, "notes.txt"});
}

TEST_CASE("what is being made or changed is left alone") {
  TestBench bench;
  const auto box = bench.create();
  const std::string snapshot = random_uuid(), archive = box.id + "-9.tar.zst";
  bench.runner.snapshots.insert(snapshot);
  bench.runner.archives.insert(archive);
  bench.control().snapshots_in_flight.insert(snapshot);
  bench.control().long_jobs.insert(box.id);
  sweep(bench);
  CHECK(bench.runner.snapshots.contains(snapshot));
  CHECK(bench.runner.archives.contains(archive));
  bench.control().long_jobs.clear();
  {
    auto place = bench.control().lines.try_enter(box.id);
    sweep(bench);
    CHECK(bench.runner.archives.contains(archive));
  }
  bench.control().snapshots_in_flight.clear();
  sweep(bench);
  CHECK(bench.runner.snapshots.empty());
  CHECK(bench.runner.archives.empty());
}

TEST_CASE("the archive of a deleted sandbox goes with it") {
  TestBench bench;
  const auto box = archived(bench);
  REQUIRE(bench.runner.archives.size() == 1);
  bench.run(delete_sandbox(bench.control(), bench.organization, box.id)).value();
  CHECK(bench.runner.archives.empty());
}

TEST_CASE("a snapshot whose name was taken meanwhile leaves no copy") {
  TestBench bench;
  const auto box = bench.create();
  model::Snapshot other;
  other.id = random_uuid();
  other.organization_id = bench.organization;
  other.name = "taken";
  bench.runner.before_change = [&] {
    bench.runner.before_change = nullptr;
    asio::co_spawn(
        bench.io,
        [](TestBench& b, model::Snapshot s) -> asio::awaitable<void> {
          (void)co_await b.control().store.snapshots.insert(std::move(s));
        }(bench, other),
        [](std::exception_ptr) {});
  };
  bench.runner.delay = std::chrono::milliseconds(50);
  auto made = bench.run(snapshot_sandbox(bench.control(), bench.organization, box.id, "taken"));
  REQUIRE_FALSE(made);
  CHECK(made.error().code() == Errc::conflict);
  CHECK(bench.runner.snapshots.empty());
}

TEST_CASE("a fork that a crash cut before its disk was copied does not come up empty") {
  for (const bool copied : {false, true}) {
    TestBench bench;
    const auto parent = bench.create();
    auto child = bench.run(fork_sandbox(bench.control(), bench.organization, parent.id, "child")).value();
    child = bench.row(child.id);
    child.state = SandboxState::creating;
    bench.run(bench.control().store.sandboxes.update_later(child, db::Urgency::now).wait()).value();
    if (copied)
      bench.runner.held[child.id].state = RunnerState::stopped;
    else
      bench.runner.held.erase(child.id);
    bench.restart();
    const auto wanted = copied ? SandboxState::started : SandboxState::destroyed;
    CHECK(bench.until([&] { return bench.state(child.id) == wanted; }));
  }
}

TEST_CASE("a restore that failed for anything but its archive can be tried again") {
  struct Row {
    Errc code;
    SandboxState then;
  } rows[] = {{Errc::internal, SandboxState::archived},   {Errc::exhausted, SandboxState::archived},
              {Errc::timed_out, SandboxState::archived},  {Errc::unavailable, SandboxState::archived},
              {Errc::too_large, SandboxState::archived},  {Errc::invalid_argument, SandboxState::error},
              {Errc::unprocessable, SandboxState::error}, {Errc::not_found, SandboxState::error}};
  for (const Row& row : rows) {
    TestBench bench;
    const auto box = archived(bench);
    bench.runner.fail_restore = Error(row.code, "for a test");
    auto started = bench.run(start_sandbox(bench.control(), bench.organization, box.id));
    CHECK_FALSE(started);
    const auto now = bench.row(box.id);
    CHECK(now.state == row.then);
    CHECK(now.error_reason.has_value() == (row.then == SandboxState::error));
    CHECK_FALSE(now.recoverable);
    if (row.then != SandboxState::archived) continue;
    bench.runner.fail_restore.reset();
    CHECK(bench.run(start_sandbox(bench.control(), bench.organization, box.id)).value().state == SandboxState::started);
  }
}

}  // namespace
}  // namespace sebring::control
