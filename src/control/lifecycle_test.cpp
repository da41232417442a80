#include <doctest/doctest.h>

#include "control/test_bench.h"

namespace sebring::control {
namespace {

using model::DesiredState;
using model::SandboxState;

TEST_CASE("a sandbox is made, stopped, started and deleted") {
  TestBench bench;
  const auto made = bench.create("one");
  CHECK(made.visible() == SandboxState::started);
  CHECK(bench.state(made.id) == SandboxState::started);
  CHECK(bench.runner.held[made.id].state == RunnerState::running);
  CHECK(bench.runner.specs[made.id].memory_bytes == model::kGiB);
  CHECK(bench.runner.specs[made.id].disk_bytes == 3 * model::kGiB);
  CHECK_FALSE(bench.runner.specs[made.id].must_exist);
  CHECK(bench.control().live.used(bench.organization).cpu == 1);

  const auto stopped = bench.run(stop_sandbox(bench.control(), bench.organization, "one", false)).value();
  CHECK(stopped.visible() == SandboxState::stopped);
  CHECK(bench.state(made.id) == SandboxState::stopped);
  CHECK(bench.control().live.used(bench.organization).cpu == 0);
  CHECK(bench.control().live.used(bench.organization).disk_gib == 3);

  const auto started = bench.run(start_sandbox(bench.control(), bench.organization, made.id)).value();
  CHECK(started.visible() == SandboxState::started);
  CHECK(started.auth_token != made.auth_token);
  CHECK(bench.runner.specs[made.id].must_exist);

  const auto deleted = bench.run(delete_sandbox(bench.control(), bench.organization, "one")).value();
  CHECK(deleted.visible() == SandboxState::destroyed);
  CHECK(deleted.name.starts_with("DESTROYED_one_"));
  CHECK_FALSE(bench.runner.held.contains(made.id));
  CHECK(bench.control().live.used(bench.organization).disk_gib == 0);
  const auto gone = bench.run(get_sandbox(bench.control(), bench.organization, made.id));
  REQUIRE_FALSE(gone);
  CHECK(gone.error().message() == "Sandbox with ID or name " + made.id + " not found");
  bench.create("one");
}

TEST_CASE("two creates of one name at once: one wins") {
  TestBench bench;
  bench.runner.delay = std::chrono::milliseconds(3);
  std::vector<Result<model::Sandbox>> outcomes;
  for (int i = 0; i < 20; ++i) {
    asio::co_spawn(bench.io, create_sandbox(bench.control(), bench.asked("same")),
                   [&](std::exception_ptr, Result<model::Sandbox> outcome) { outcomes.push_back(std::move(outcome)); });
  }
  REQUIRE(bench.until([&] { return outcomes.size() == 20; }));
  int made = 0;
  for (const auto& outcome : outcomes) {
    if (outcome) {
      ++made;
      continue;
    }
    CHECK(outcome.error().code() == Errc::conflict);
    CHECK(outcome.error().message() == "Sandbox with name same already exists");
  }
  CHECK(made == 1);
  CHECK(bench.runner.held.size() == 1);
  CHECK(bench.control().live.size() == 1);
}

TEST_CASE("a create that fails leaves nothing") {
  TestBench bench;
  bench.runner.next_error = Error(Errc::internal, "no space left in the pool");
  const auto outcome = bench.run(create_sandbox(bench.control(), bench.asked("x")));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code() == Errc::invalid_argument);
  CHECK(outcome.error().message() == "Sandbox failed to start: no space left in the pool");
  CHECK(bench.control().live.size() == 0);
  CHECK(bench.control().live.used(bench.organization).disk_gib == 0);
  bench.create("x");
}

TEST_CASE("a create that the runner never answers is cleaned up when it is back") {
  TestBench bench;
  bench.runner.reachable = false;
  const auto outcome = bench.run(create_sandbox(bench.control(), bench.asked("x")));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code() == Errc::unavailable);
  bench.runner.reachable = true;
  CHECK(bench.until([&] { return bench.control().live.size() == 0; }));
  bench.create("x");
}

TEST_CASE("a burst is let in piece by piece, and who finds the line full is told to come back") {
  TestBench bench;
  bench.end();
  bench.config.creates_at_once = 8;
  bench.config.creates_waiting_max = 100;
  bench.begin();
  bench.runner.delay = std::chrono::milliseconds(1);
  std::size_t made = 0, refused = 0, inside_max = 0;
  for (int i = 0; i < 150; ++i) {
    asio::co_spawn(bench.io, create_sandbox(bench.control(), bench.asked()),
                   [&](std::exception_ptr, Result<model::Sandbox> outcome) {
                     if (outcome) ++made;
                     if (outcome) return;
                     ++refused;
                     CHECK(outcome.error().code() == Errc::unavailable);
                     CHECK(outcome.error().tag() == "retry_after");  // becomes the header
                   });
  }
  bench.runner.before_change = [&] { inside_max = std::max(inside_max, bench.control().live.size() - made); };
  bench.until([&] { return made + refused == 150; });
  bench.runner.before_change = nullptr;
  CHECK(made + refused == 150);
  CHECK(refused > 0);
  CHECK(made >= 100);
  CHECK(inside_max <= 2 * 8);  // some have left the gate and were not counted yet
  CHECK(bench.control().live.size() == made);
}

TEST_CASE("what cannot be asked") {
  TestBench bench;
  struct Row {
    const char* what;
    std::function<void(CreateSandbox&)> change;
    Errc code;
    const char* message;
  } rows[] = {
      {"unknown snapshot", [](auto& c) { c.snapshot = "nope"; }, Errc::invalid_argument,
       "Snapshot nope not found. Did you add it through the Daytona Dashboard?"},
      {"resources with a snapshot", [](auto& c) { c.cpu = 2; }, Errc::invalid_argument,
       "Cannot specify Sandbox resources when using a snapshot"},
      {"unknown region", [](auto& c) { c.target = "mars"; }, Errc::not_found, "Region not found"},
      {"markup in the name", [](auto& c) { c.name = "<b>x"; }, Errc::invalid_argument,
       "name must not contain HTML tags, URLs, or control characters"},
      {"negative stop", [](auto& c) { c.stop_minutes = -1; }, Errc::invalid_argument,
       "Auto-stop interval must be non-negative"},
      {"negative archive", [](auto& c) { c.archive_minutes = -1; }, Errc::invalid_argument,
       "Auto-archive interval must be non-negative"},
      {"bad network", [](auto& c) { c.network_allow_list = "10.0.0.0"; }, Errc::invalid_argument,
       "Invalid network format: \"10.0.0.0\". Missing CIDR prefix length (e.g., /24)"},
      {"unknown volume", [](auto& c) { c.volumes = {{"v", "/data", ""}}; }, Errc::not_found, "Volume 'v' not found"},
      {"lasting GPU", [](auto& c) { c.gpu = 1; }, Errc::invalid_argument,
       "GPU sandboxes must be ephemeral - set autoDeleteInterval to 0"},
      {"bad variable", [](auto& c) { c.env = {{"A=B", "x"}}; }, Errc::invalid_argument,
       "Invalid environment variable name: 'A=B'"},
      {"unknown parent",
       [](auto& c) {
         c.linked_sandbox = "nobody";
         c.destroy_minutes = 0;
       },
       Errc::not_found, "Sandbox with ID or name nobody not found"},
      {"lasting linked one", [](auto& c) { c.linked_sandbox = "nobody"; }, Errc::invalid_argument,
       "Linked sandboxes must be ephemeral - set autoDeleteInterval to 0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CreateSandbox create = bench.asked();
    row.change(create);
    const auto outcome = bench.run(create_sandbox(bench.control(), create));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code() == row.code);
    CHECK(outcome.error().message() == row.message);
  }
  CHECK(bench.runner.calls == 0);
  for (const char* region : {"us", "eu", "default", "", "  "}) {
    CreateSandbox create = bench.asked();
    create.target = region;
    CHECK(bench.run(create_sandbox(bench.control(), create)).value().region_id == "default");
  }
}

TEST_CASE("quota counts what runs, and gives it back") {
  TestBench bench;
  bench.config.limits.cpu_total = 2;
  const auto first = bench.create();
  bench.create();
  const auto third = bench.run(create_sandbox(bench.control(), bench.asked()));
  REQUIRE_FALSE(third);
  CHECK(third.error().message().starts_with("Total CPU limit exceeded. Maximum allowed: 2."));
  bench.run(stop_sandbox(bench.control(), bench.organization, first.id, false)).value();
  bench.create();
  const auto again = bench.run(start_sandbox(bench.control(), bench.organization, first.id));
  REQUIRE_FALSE(again);
  CHECK(again.error().message().starts_with("Total CPU limit exceeded"));
}

TEST_CASE("requests on one sandbox wait for each other") {
  TestBench bench;
  const auto made = bench.create();
  bench.runner.delay = std::chrono::milliseconds(5);
  std::vector<SandboxState> seen;
  const auto note = [&](std::exception_ptr, Result<model::Sandbox> outcome) {
    seen.push_back(outcome ? outcome->visible() : SandboxState::unknown);
  };
  asio::co_spawn(bench.io, stop_sandbox(bench.control(), bench.organization, made.id, false), note);
  asio::co_spawn(bench.io, start_sandbox(bench.control(), bench.organization, made.id), note);
  asio::co_spawn(bench.io, stop_sandbox(bench.control(), bench.organization, made.id, true), note);
  REQUIRE(bench.until([&] { return seen.size() == 3; }));
  CHECK(seen == std::vector{SandboxState::stopped, SandboxState::started, SandboxState::stopped});
}

TEST_CASE("an ephemeral sandbox is deleted when it stops") {
  TestBench bench;
  CreateSandbox create = bench.asked();
  create.destroy_minutes = 0;
  const auto made = bench.run(create_sandbox(bench.control(), create)).value();
  bench.run(stop_sandbox(bench.control(), bench.organization, made.id, false)).value();
  CHECK(bench.state(made.id) == SandboxState::destroyed);
  CHECK(bench.runner.held.empty());
}

TEST_CASE("another organization's sandbox is not there") {
  TestBench bench;
  const auto made = bench.create("mine");
  for (const std::string& name : {made.id, std::string("mine")}) {
    const auto outcome = bench.run(delete_sandbox(bench.control(), "another", name));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code() == Errc::not_found);
  }
}

TEST_CASE("fork: a new identity, a parent that stays while it has children") {
  TestBench bench;
  const auto parent = bench.create("parent");
  const auto child = bench.run(fork_sandbox(bench.control(), bench.organization, parent.id, "child")).value();
  CHECK(child.visible() == SandboxState::started);
  CHECK(child.id != parent.id);
  CHECK(child.auth_token != parent.auth_token);
  CHECK(child.parent_id == parent.id);
  const auto grandchild = bench.run(fork_sandbox(bench.control(), bench.organization, "child", std::nullopt)).value();
  const auto chain = bench.run(list_ancestors(bench.control(), bench.organization, grandchild.id)).value();
  REQUIRE(chain.size() == 2);
  CHECK(chain[0].id == child.id);
  CHECK(chain[1].id == parent.id);
  const auto refused = bench.run(delete_sandbox(bench.control(), bench.organization, parent.id));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message() ==
        "Cannot delete sandbox which has active fork children. The forks must be deleted first.");
  bench.run(delete_sandbox(bench.control(), bench.organization, grandchild.id)).value();
  bench.run(delete_sandbox(bench.control(), bench.organization, child.id)).value();
  bench.run(delete_sandbox(bench.control(), bench.organization, parent.id)).value();
  CHECK(bench.runner.held.empty());
  const auto taken = bench.create("x");
  const auto conflict = bench.run(fork_sandbox(bench.control(), bench.organization, taken.id, "x"));
  REQUIRE_FALSE(conflict);
  CHECK(conflict.error().code() == Errc::conflict);
}

TEST_CASE("pause, resume, resize, snapshot") {
  TestBench bench;
  const auto made = bench.create("one");
  CHECK(bench.run(pause_sandbox(bench.control(), bench.organization, "one")).value().visible() == SandboxState::paused);
  CHECK(bench.run(start_sandbox(bench.control(), bench.organization, "one")).value().visible() ==
        SandboxState::started);
  const auto bigger =
      bench.run(resize_sandbox(bench.control(), bench.organization, "one", {2, 4, std::nullopt})).value();
  CHECK(bigger.resources.cpu == 2);
  CHECK(bench.control().live.used(bench.organization).memory_gib == 4);
  CHECK(bench.runner.limits[made.id].memory_bytes == 4 * model::kGiB);
  CHECK_FALSE(bench.run(resize_sandbox(bench.control(), bench.organization, "one", {1, {}, {}})));
  CHECK_FALSE(bench.run(resize_sandbox(bench.control(), bench.organization, "one", {{}, {}, 5})));
  CHECK_FALSE(bench.run(resize_sandbox(bench.control(), bench.organization, "one", {5, {}, {}})));
  bench.run(snapshot_sandbox(bench.control(), bench.organization, "one", "mine:1")).value();
  CHECK(bench.run(snapshot_sandbox(bench.control(), bench.organization, "one", "mine:1")).error().message() ==
        "Snapshot with name \"mine:1\" already exists for this organization");
  CreateSandbox create = bench.asked();
  create.snapshot = "mine:1";
  const auto copy = bench.run(create_sandbox(bench.control(), create)).value();
  CHECK_FALSE(bench.runner.specs[copy.id].base.empty());
}

TEST_CASE("archive and restore") {
  TestBench bench;
  const auto made = bench.create("one");
  CHECK(bench.run(archive_sandbox(bench.control(), bench.organization, "one")).error().message() ==
        "Sandbox is not stopped");
  bench.run(stop_sandbox(bench.control(), bench.organization, "one", false)).value();
  bench.runner.archive_delay = std::chrono::milliseconds(20);
  CHECK(bench.run(archive_sandbox(bench.control(), bench.organization, "one")).value().visible() ==
        SandboxState::archiving);
  REQUIRE(bench.until([&] { return bench.state(made.id) == SandboxState::archived; }));
  CHECK(bench.until([&] { return bench.runner.held.empty(); }));
  CHECK(bench.control().live.used(bench.organization).disk_gib == 0);
  const auto back = bench.run(start_sandbox(bench.control(), bench.organization, "one")).value();
  CHECK(back.visible() == SandboxState::started);
  // A delete does not wait for an archive.
  bench.run(stop_sandbox(bench.control(), bench.organization, "one", false)).value();
  bench.run(archive_sandbox(bench.control(), bench.organization, "one")).value();
  bench.run(delete_sandbox(bench.control(), bench.organization, "one")).value();
  CHECK(bench.until([&] { return bench.control().long_jobs.empty(); }));
  CHECK(bench.state(made.id) == SandboxState::destroyed);
}

}  // namespace
}  // namespace sebring::control
