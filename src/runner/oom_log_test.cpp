#include "runner/oom_log.h"

#include <doctest/doctest.h>

using namespace sebring::runner;

TEST_CASE("kernel messages about memory") {
  auto kill = parse_oom_line(
      "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=28672,mems_allowed=0,oom_memcg=/sebring-a/"
      "28672,"
      "task_memcg=/sebring-a/28672,task=py,thon,pid=4242,uid=1879049192");
  REQUIRE(kill.has_value());
  CHECK(kill->pid == 4242);
  CHECK(kill->name == "py,thon");
  CHECK(kill->group == "/sebring-a/28672");
  auto global =
      parse_oom_line("6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task_memcg=/x,task=dd,pid=7,uid=0");
  REQUIRE(global.has_value());
  CHECK(global->group.empty());
  auto line =
      parse_oom_line("3,1,2,-;Memory cgroup out of memory: Killed process 99 (a (b)) total-vm:1kB, anon-rss:1kB");
  REQUIRE(line.has_value());
  CHECK(line->pid == 99);
  for (auto other :
       {"", "6,1,2,-;usb 1-1: new device", "Killed process x (y) z", "oom-kill:pid=1", "oom-kill:task=a,pid=x,"})
    CHECK_MESSAGE(!parse_oom_line(other), other);
}

TEST_CASE("whose group it was") {
  CHECK(name_in_tree("/sebring-a/28672", "sebring-a") == "28672");
  CHECK(name_in_tree("/outer/sebring-a/7", "sebring-a") == "7");
  for (auto other :
       {"", "/", "/sebring-a", "/sebring-a/", "/sebring-b/7", "/x-sebring-a/7", "sebring-a/7", "/sebring-a/7/8"})
    CHECK_MESSAGE(!name_in_tree(other, "sebring-a"), other);
}
