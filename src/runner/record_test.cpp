#include "runner/record.h"

#include <doctest/doctest.h>

using namespace sebring;
using namespace sebring::runner;

TEST_CASE("a record comes back from its line as it was") {
  Record record;
  record.id = "sandbox-1";
  record.disk = "u-0123456789abcdef";
  record.state = State::running;
  record.layers = {"sha256:aa", "sha256:bb"};
  record.limits = {.cpus = 1.5, .memory_bytes = 1 << 30, .disk_bytes = std::uint64_t{3} << 30, .pids_max = 77};
  record.disk_held_bytes = 5;
  record.hostname = "box";
  record.hosts = {{"10.0.0.1", "db"}};
  record.network.allow = {{0x0a000000, 8}};
  record.linked_to = "sandbox-0";
  record.files_written = 0xffffffffffffffff;
  record.index = 28672;
  record.pid = 42;
  record.start_time = 123456789012345;
  record.boot_id = "boot";
  record.started_at_ms = 1700000000000;
  record.cause =
      Cause{.kind = "out_of_memory", .message = "m", .limit_bytes = 1, .peak_bytes = 2, .victim = "py\"th\non"};
  auto line = record_line(record);
  CHECK(line.find('\n') == line.size() - 1);
  auto entry = parse_journal_line(line.substr(0, line.size() - 1));
  REQUIRE(entry.has_value());
  REQUIRE(entry->record.has_value());
  CHECK(record_line(*entry->record) == line);
  CHECK(entry->record->linked_to == "sandbox-0");
  CHECK(entry->record->files_written == record.files_written);
  CHECK(entry->record->cause->victim == record.cause->victim);
}

TEST_CASE("lines that are none") {
  for (auto line : {"", "{", "[]", "{}", R"({"disk":"u"})", R"({"disk":1,"id":"x"})",
                    R"({"disk":"u","id":"x","allow":["nonsense"]})"})
    CHECK_MESSAGE(
        (!parse_journal_line(line) || (!parse_journal_line(line)->record && parse_journal_line(line)->gone.empty())),
        line);
  CHECK(parse_journal_line(R"({"gone":"u-1"})")->gone == "u-1");
}
