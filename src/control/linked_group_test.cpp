#include "control/linked_group.h"

#include <doctest/doctest.h>

#include "control/test_bench.h"

using namespace sebring;
using namespace sebring::control;
using model::SandboxState;

namespace {

CreateSandbox linked_to(TestBench& bench, const std::string& head) {
  CreateSandbox create = bench.asked();
  create.destroy_minutes = 0;
  create.linked_sandbox = head;
  return create;
}

model::Sandbox link(TestBench& bench, const std::string& head) {
  return bench.run(create_sandbox(bench.control(), linked_to(bench, head))).value();
}

}  // namespace

TEST_CASE("a linked sandbox names its head, by id or name, and tells the runner") {
  TestBench bench;
  const auto head = bench.create("head");
  const auto by_id = link(bench, head.id), by_name = link(bench, "head");
  CHECK(by_id.linked_sandbox_id == head.id);
  CHECK(by_name.linked_sandbox_id == head.id);
  CHECK(bench.runner.specs[by_id.id].linked_to == head.id);
  CHECK(bench.runner.specs[head.id].linked_to.empty());
  CHECK(bench.control().live.linked_to(head.id) == 2);
  // A copy is no member.
  const auto fork = bench.run(fork_sandbox(bench.control(), bench.organization, by_id.id, std::nullopt, {})).value();
  CHECK_FALSE(fork.linked_sandbox_id.has_value());
  CHECK(bench.runner.specs[fork.id].linked_to.empty());
}

TEST_CASE("bad links are refused for what they are") {
  TestBench bench;
  const auto head = bench.create("head");
  const auto member = link(bench, head.id);
  const auto gone = bench.create(), failed = bench.create(), archived = bench.create();
  bench.run(delete_sandbox(bench.control(), bench.organization, gone.id)).value();
  bench.runner.die(failed.id, {.kind = "killed"});
  bench.run(stop_sandbox(bench.control(), bench.organization, archived.id, false)).value();
  bench.run(archive_sandbox(bench.control(), bench.organization, archived.id)).value();
  REQUIRE(bench.until([&] {
    return bench.state(archived.id) == SandboxState::archived && bench.state(failed.id) == SandboxState::error;
  }));
  const std::size_t before = bench.control().live.size();
  struct Row {
    std::string head;
    Errc code;
    const char* message;
  } rows[] = {{member.id, Errc::invalid_argument, "Cannot link to a sandbox that is itself linked"},
              {gone.id, Errc::not_found, nullptr},
              {"nobody", Errc::not_found, "Sandbox with ID or name nobody not found"},
              {failed.id, Errc::invalid_argument, "Cannot link to a sandbox in an errored state"},
              {archived.id, Errc::invalid_argument, "Cannot link to an archived sandbox: start it first"}};
  for (const Row& row : rows) {
    CAPTURE(row.head);
    const auto outcome = bench.run(create_sandbox(bench.control(), linked_to(bench, row.head)));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code() == row.code);
    if (row.message != nullptr) CHECK(outcome.error().message() == row.message);
  }
  // Somebody else's is not there.
  CreateSandbox foreign = linked_to(bench, head.id);
  foreign.organization_id = "00000000-0000-0000-0000-000000000000";
  CHECK_FALSE(bench.run(create_sandbox(bench.control(), foreign)));
  // What lasts is not linked, neither from the beginning nor later.
  CreateSandbox lasting = linked_to(bench, head.id);
  lasting.destroy_minutes = 5;
  CHECK(bench.run(create_sandbox(bench.control(), lasting)).error().message() ==
        "Linked sandboxes must be ephemeral - set autoDeleteInterval to 0");
  for (std::int64_t minutes : {-1, 5}) {
    CHECK(bench.run(set_interval(bench.control(), bench.organization, member.id, Interval::destroy, minutes))
              .error()
              .message() == "Linked sandboxes must be ephemeral - set autoDeleteInterval to 0");
  }
  CHECK(bench.control().live.size() == before);
}

TEST_CASE("a group is bounded, and its places are given back") {
  TestBench bench;
  const auto head = bench.create();
  std::vector<model::Sandbox> members;
  for (std::size_t i = 0; i < kLinkedMax; ++i) members.push_back(link(bench, head.id));
  CHECK(bench.run(create_sandbox(bench.control(), linked_to(bench, head.id))).error().message() ==
        "At most 63 sandboxes can be linked to one");
  bench.run(stop_sandbox(bench.control(), bench.organization, members[0].id, false)).value();
  CHECK(bench.state(members[0].id) == SandboxState::destroyed);
  link(bench, head.id);
}

TEST_CASE("whatever way the head goes, the linked ones go with it") {
  struct Row {
    const char* how;
    std::function<void(TestBench&, const std::string&)> end;
  } rows[] = {
      {"deleted",
       [](TestBench& bench, const std::string& id) {
         bench.run(delete_sandbox(bench.control(), bench.organization, id)).value();
       }},
      {"its time to live is over",
       [](TestBench& bench, const std::string&) {
         bench.clock.advance_minutes(10);
         bench.life->reaper.look();
       }},
      {"control was killed in the middle of it",
       [](TestBench& bench, const std::string& id) {
         {  // its place in line ends with that life
           auto held = bench.run(hold_by_id(bench.control(), id)).value();
           bench.run(destroy_sandbox(bench.control(), *held)).value();
         }
         bench.restart();
         REQUIRE(bench.until([&] { return bench.life->reconciler.in_step(); }));
       }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.how);
    TestBench bench;
    CreateSandbox create = bench.asked();
    create.ttl_minutes = 10;
    const auto head = bench.run(create_sandbox(bench.control(), create)).value();
    const auto other = bench.create();
    const auto one = link(bench, head.id), two = link(bench, head.id);
    row.end(bench, head.id);
    CHECK(bench.until([&] {
      bench.life->reaper.look();
      return bench.state(head.id) == SandboxState::destroyed && bench.state(one.id) == SandboxState::destroyed &&
             bench.state(two.id) == SandboxState::destroyed;
    }));
    CHECK(bench.state(other.id) == SandboxState::started);
    CHECK(bench.runner.held.size() == 1);
  }
}

TEST_CASE("a head that stops leaves the linked ones running, and is joined again when it starts") {
  TestBench bench;
  const auto head = bench.create();
  const auto member = link(bench, head.id);
  bench.run(stop_sandbox(bench.control(), bench.organization, head.id, false)).value();
  bench.life->reaper.look();
  CHECK(bench.state(member.id) == SandboxState::started);
  CHECK(bench.control().live.find(head.id)->address.empty());
  const auto late = link(bench, head.id);  // while it is stopped
  bench.run(start_sandbox(bench.control(), bench.organization, head.id)).value();
  CHECK_FALSE(bench.control().live.find(head.id)->address.empty());
  CHECK(bench.runner.specs[late.id].linked_to == head.id);
}
