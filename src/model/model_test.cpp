#include <doctest/doctest.h>

#include "model/api_key.h"
#include "model/limits.h"
#include "model/names.h"
#include "model/network_rules.h"
#include "model/sandbox.h"

namespace sebring::model {
namespace {

std::string message_of(const auto& result) { return result ? "" : result.error().message(); }

TEST_CASE("names") {
  const std::string refused = "name must not contain HTML tags, URLs, or control characters";
  struct Row {
    std::string name;
    bool good;
  } rows[] = {{"a", true},
              {"My sandbox #1 (test)", true},
              {"größe-日本", true},
              {"a < b", true},
              {"1<2", true},
              {"metadata:1", true},
              {"wwwx", true},
              {"", true},
              {"<b>", false},
              {"x</b>", false},
              {"<!-- x", false},
              {"<?php", false},
              {"http://x", false},
              {"see HTTPS://x.y", false},
              {"www.example.com", false},
              {"javascript:alert(1)", false},
              {"x javascript:alert(1)", false},
              {"mailto:a@b", false},
              {"data:text/html,x", false},
              {"a\nb", false},
              {std::string("a\0b", 3), false},
              {"a\x7f", false},
              {"a\xc2\x85z", false}};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(message_of(check_name(row.name)) == (row.good ? "" : refused));
  }
  CHECK_FALSE(check_name(std::string(300, 'x')));
  CHECK(message_of(check_name("<b>", "label")).starts_with("label must not"));
}

TEST_CASE("names of snapshots and images") {
  const std::string digest = "@sha256:" + std::string(64, 'a');
  for (const std::string& good : {std::string("a"), std::string("a/b:1.0-x_y"), "a" + digest, std::string("A.B")}) {
    CAPTURE(good);
    CHECK(check_snapshot_name(good));
  }
  for (const std::string& bad : {std::string(""), std::string("a b"), std::string("/a"), std::string("a//b"),
                                 std::string("a/"), std::string("a@b"), "a" + digest + "0", std::string("ü")}) {
    CAPTURE(bad);
    CHECK(message_of(check_snapshot_name(bad)) ==
          "Invalid snapshot name format. May contain letters, digits, dots, colons, and dashes");
  }
  struct Row {
    std::string name;
    const char* message;
  } rows[] = {{"ubuntu:22.04", ""},
              {"registry.test:5000/a/b:1", ""},
              {"a" + digest, ""},
              {"ubuntu", "Image name must include a tag (e.g., ubuntu:22.04) or digest (@sha256:...)"},
              {"registry.test:5000/a", "Image name must include a tag (e.g., ubuntu:22.04) or digest (@sha256:...)"},
              {"a:", "Image name must include a tag (e.g., ubuntu:22.04) or digest (@sha256:...)"},
              {"a:latest", "Images with tag \":latest\" are not allowed"},
              {"a@sha256:12", "Invalid digest format. Must be image@sha256:64_hex_characters"},
              {"@sha256:" + std::string(64, 'a'), "Invalid digest format. Must be image@sha256:64_hex_characters"},
              {"a b:1", "Invalid image name format. May contain letters, digits, dots, colons, and dashes"}};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(message_of(check_image_name(row.name)) == row.message);
  }
}

TEST_CASE("mount paths") {
  for (const char* good : {"/data", "/home/x/y", "/data/", "/etcetera", "/a..b"}) {
    CAPTURE(good);
    CHECK(check_mount_path(good));
  }
  for (const char* bad : {"", "data", "/", "//", "/a//b", "/a/../b", "/a/.", "/proc", "/proc/x", "/sys", "/dev/shm",
                          "/etc", "/bin", "/sbin/x", "/lib", "/lib64", "/boot/"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_mount_path(bad));
  }
  for (const char* good : {"a", "a/b", "a/"}) CHECK(check_subpath(good));
  for (const char* bad : {"/a", "a/../b", "..", "a//b"}) CHECK_FALSE(check_subpath(bad));
}

TEST_CASE("names of a sandbox's variables") {
  for (const char* good : {"A", "_", "a1", "A-B", "a.b", "npm_config_//registry/:x", "1"}) {
    CAPTURE(good);
    CHECK(check_environment_name(good));
  }
  for (const char* bad : {"", "=", "A=B", "A\n", "\x7f"}) {
    CAPTURE(bad);
    CHECK_FALSE(check_environment_name(bad));
  }
  CHECK_FALSE(check_environment_name(std::string_view("A\0B", 3)));
}

TEST_CASE("networks and domains") {
  struct Row {
    const char* text;
    const char* message;
  } rows[] = {
      {"", ""},
      {"10.0.0.0/8", ""},
      {" 10.0.0.0/8 , 192.0.2.1/32,", ""},
      {"0.0.0.0/0", ""},
      {"10.0.0.0", "Invalid network format: \"10.0.0.0\". Missing CIDR prefix length (e.g., /24)"},
      {"10.0.0/8", "Invalid IP address: \"10.0.0\" in network \"10.0.0/8\". Must be a valid IPv4 address"},
      {"256.0.0.0/8", "Invalid IP address: \"256.0.0.0\" in network \"256.0.0.0/8\". Must be a valid IPv4 address"},
      {"010.0.0.0/8", "Invalid IP address: \"010.0.0.0\" in network \"010.0.0.0/8\". Must be a valid IPv4 address"},
      {"::1/128", "Invalid IP address: \"::1\" in network \"::1/128\". Must be a valid IPv4 address"},
      {"10.0.0.0/33", "Invalid CIDR prefix length: \"33\" in network \"10.0.0.0/33\". Must be between 0 and 32"},
      {"10.0.0.0/", "Invalid CIDR prefix length: \"\" in network \"10.0.0.0/\". Must be between 0 and 32"},
      {"10.0.0.0/-1", "Invalid CIDR prefix length: \"-1\" in network \"10.0.0.0/-1\". Must be between 0 and 32"}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(message_of(parse_network_list(row.text)) == row.message);
  }
  std::string many = "10.0.0.0/8";
  for (int i = 0; i < 10; ++i) many += ",10.0.0.0/8";
  CHECK(message_of(parse_network_list(many)) == "Network allow list cannot contain more than 10 networks");
  CHECK(parse_network_list(" 10.0.0.0/8 ,").value() == std::vector<std::string>{"10.0.0.0/8"});
  CHECK(parse_domain_list("Example.com,*.x-y.test").value() == std::vector<std::string>{"example.com", "*.x-y.test"});
  for (const char* bad : {"localhost", "a..b", "-a.b", "a-.b", "*.*.a", "a_b.c", "http://a.b", "a.b/c", "ü.de"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_domain_list(bad));
  }
}

TEST_CASE("limits and their messages") {
  const Limits limits{.cpu_total = 10, .memory_gib_total = 10, .disk_gib_total = 30};
  CHECK(check_per_sandbox({4, 0, 8, 10}, limits));
  CHECK(message_of(check_per_sandbox({5, 0, 1, 1}, limits))
            .starts_with("CPU request 5 exceeds maximum allowed per sandbox (4).\n"));
  CHECK(message_of(check_per_sandbox({1, 0, 9, 1}, limits))
            .starts_with("Memory request 9GB exceeds maximum allowed per sandbox (8GB)."));
  CHECK(message_of(check_per_sandbox({1, 0, 1, 11}, limits))
            .starts_with("Disk request 11GB exceeds maximum allowed per sandbox (10GB)."));
  CHECK(check_totals({1, 0, 1, 3}, {9, 0, 9, 27}, limits));
  CHECK_FALSE(check_totals({1, 0, 1, 3}, {10, 0, 9, 27}, limits));
  CHECK_FALSE(check_totals({1, 0, 1, 3}, {9, 0, 10, 27}, limits));
  CHECK_FALSE(check_totals({1, 0, 1, 3}, {9, 0, 9, 28}, limits));
  CHECK(check_totals({100, 0, 100, 100}, {100, 0, 100, 100}, Limits{}));
  CHECK(check_archive_interval(0).value() == kArchiveIntervalMax);
  CHECK(check_archive_interval(50'000).value() == kArchiveIntervalMax);
  CHECK(check_archive_interval(60).value() == 60);
  CHECK(check_destroy_interval(-5).value() == -1);
  for (const std::int64_t bad : {std::int64_t{-1}, kIntervalMax + 1, std::numeric_limits<std::int64_t>::max(),
                                 std::numeric_limits<std::int64_t>::min()}) {
    CHECK_FALSE(check_stop_interval(bad));
    CHECK_FALSE(check_pause_interval(bad));
    CHECK_FALSE(check_ttl(bad));
  }
  CHECK_FALSE(check_together({.stop = 1, .pause = 1}));
  CHECK_FALSE(check_together({.stop = 0, .pause = 1, .destroy = 0}));
}

TEST_CASE("resizes") {
  Sandbox sandbox;
  sandbox.resources = {2, 0, 4, 5};
  struct Row {
    SandboxState state;
    Resize asked;
    bool good;
  } rows[] = {{SandboxState::started, {3, {}, {}}, true},   {SandboxState::started, {{}, 8, {}}, true},
              {SandboxState::started, {1, {}, {}}, false},  {SandboxState::started, {{}, 1, {}}, false},
              {SandboxState::started, {{}, {}, 6}, false},  {SandboxState::stopped, {{}, {}, 6}, true},
              {SandboxState::stopped, {1, 1, {}}, true},    {SandboxState::stopped, {{}, {}, 4}, false},
              {SandboxState::started, {{}, {}, {}}, false}, {SandboxState::started, {0, {}, {}}, false},
              {SandboxState::stopped, {{}, {}, -1}, false}};
  for (const Row& row : rows) {
    sandbox.state = row.state;
    CAPTURE(row.asked.cpu.value_or(-99));
    CAPTURE(row.asked.disk_gib.value_or(-99));
    CHECK(resized(sandbox, row.asked).has_value() == row.good);
  }
}

// Every action in every state: '.' go, '0' nothing to do, 'w' wait, or the refusal.
TEST_CASE("what may be done when") {
  const std::string errored = "Sandbox is in an errored state", invalid = "Sandbox is not in valid state";
  int rows = 0;
  for (int a = 0; a < kActions; ++a) {
    for (int s = 0; s < kSandboxStates; ++s, ++rows) {
      const auto action = static_cast<Action>(a);
      const auto state = static_cast<SandboxState>(s);
      CAPTURE(a);
      CAPTURE(to_text(state));
      const auto verdict = may(action, state);
      if (action == Action::destroy) {
        const bool gone = state == SandboxState::destroyed || state == SandboxState::destroying;
        CHECK(verdict.value() == (gone ? Verdict::nothing_to_do : Verdict::go));
        continue;
      }
      if (state == SandboxState::destroyed || state == SandboxState::destroying) {
        CHECK(message_of(verdict) == invalid);
        continue;
      }
      if (is_transitional(state)) {
        CHECK(verdict.value() == Verdict::wait);
        continue;
      }
      if (!verdict) CHECK(verdict.error().code() == Errc::invalid_argument);
    }
  }
  CHECK(rows == kActions * kSandboxStates);
  struct Row {
    Action action;
    SandboxState state;
    std::string message;  // "" go, "0" nothing to do
  } table[] = {{Action::start, SandboxState::started, "0"},
               {Action::start, SandboxState::stopped, ""},
               {Action::start, SandboxState::paused, ""},
               {Action::start, SandboxState::archived, ""},
               {Action::start, SandboxState::error, errored},
               {Action::start, SandboxState::build_failed, errored},
               {Action::stop, SandboxState::started, ""},
               {Action::stop, SandboxState::paused, ""},
               {Action::stop, SandboxState::error, ""},
               {Action::stop, SandboxState::stopped, "Sandbox is not in a stoppable state"},
               {Action::stop, SandboxState::archived, "Sandbox is not in a stoppable state"},
               {Action::stop, SandboxState::build_failed, errored},
               {Action::archive, SandboxState::stopped, ""},
               {Action::archive, SandboxState::started, "Sandbox is not stopped"},
               {Action::archive, SandboxState::archived, "Sandbox is not stopped"},
               {Action::archive, SandboxState::error, errored},
               {Action::pause, SandboxState::started, ""},
               {Action::pause, SandboxState::paused, "0"},
               {Action::pause, SandboxState::stopped, invalid},
               {Action::resize, SandboxState::started, ""},
               {Action::resize, SandboxState::stopped, ""},
               {Action::resize, SandboxState::paused, invalid},
               {Action::fork, SandboxState::started, ""},
               {Action::fork, SandboxState::archived, invalid},
               {Action::fork, SandboxState::error, errored},
               {Action::snapshot, SandboxState::stopped, ""},
               {Action::backup, SandboxState::archived, invalid},
               {Action::recover, SandboxState::error, ""},
               {Action::recover, SandboxState::started, "Sandbox must be in error state to recover"}};
  for (const Row& row : table) {
    CAPTURE(static_cast<int>(row.action));
    CAPTURE(to_text(row.state));
    const auto verdict = may(row.action, row.state);
    if (row.message.empty()) {
      CHECK(verdict.value() == Verdict::go);
    } else if (row.message == "0") {
      CHECK(verdict.value() == Verdict::nothing_to_do);
    } else {
      CHECK(message_of(verdict) == row.message);
    }
  }
}

TEST_CASE("states are told as the way between two") {
  struct Row {
    SandboxState state;
    DesiredState desired;
    SandboxState shown;
  } rows[] = {{SandboxState::started, DesiredState::stopped, SandboxState::stopping},
              {SandboxState::started, DesiredState::destroyed, SandboxState::destroying},
              {SandboxState::stopped, DesiredState::destroyed, SandboxState::destroying},
              {SandboxState::stopped, DesiredState::started, SandboxState::starting},
              {SandboxState::stopped, DesiredState::archived, SandboxState::archiving},
              {SandboxState::unknown, DesiredState::started, SandboxState::creating},
              {SandboxState::archived, DesiredState::started, SandboxState::restoring},
              {SandboxState::error, DesiredState::destroyed, SandboxState::error},
              {SandboxState::started, DesiredState::started, SandboxState::started}};
  for (const Row& row : rows) CHECK(visible_state(row.state, row.desired) == row.shown);
  for (int s = 0; s < kSandboxStates; ++s) {
    const auto state = static_cast<SandboxState>(s);
    CHECK(parse_sandbox_state(to_text(state)) == state);
  }
  CHECK_FALSE(parse_sandbox_state("Started"));
  CHECK_FALSE(parse_sandbox_state(""));
}

TEST_CASE("permissions") {
  CHECK(Permissions::all().names().size() == 15);
  for (std::string_view name : Permissions::all().names()) CHECK(to_text(*parse_permission(name)) == name);
  CHECK_FALSE(parse_permission("write:everything"));
  CHECK_FALSE(parse_permission(""));
  Permissions some;
  some.add(Permission::write_sandboxes);
  CHECK(some.has(Permission::write_sandboxes));
  CHECK_FALSE(some.has(Permission::delete_sandboxes));
  CHECK(some.has(Permission::none));
}

}  // namespace
}  // namespace sebring::model
