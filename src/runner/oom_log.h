#pragma once
// The kernel's messages about processes that it killed for memory: who it was. Best effort; the counters of the cgroup
// tell that it happened.
#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sebring::runner {

namespace asio = boost::asio;

struct OomKill {
  pid_t pid = -1;
  std::string name;
  std::string group;         // path of the memory cgroup at its limit; empty: the whole machine's memory
  std::uint64_t number = 0;  // of the message, ever larger while the machine runs
};

class OomLog {
 public:
  // Follows /dev/kmsg from now on where it is readable. `heard` is called for each kill at a limit of a group in `tree`
  // (one path component), with the group's name in it.
  using Heard = std::function<void(const std::string& name, const OomKill& kill)>;
  OomLog(asio::any_io_executor executor, std::string tree, Heard heard);
  // The last kill of this process, or in this sandbox's group (its last path component).
  std::optional<OomKill> of_process(pid_t pid) const;
  std::optional<OomKill> of_group(const std::string& name) const;

 private:
  void wait();
  void drain();
  void hear(const OomKill& kill) const;
  std::string tree_;
  Heard heard_;
  std::shared_ptr<asio::posix::stream_descriptor> log_;
  std::deque<OomKill> kills_;
};

// From one kernel message: "oom-kill:constraint=...,oom_memcg=/x/7,task_memcg=/x/7,task=dd,pid=12,uid=0".
std::optional<OomKill> parse_oom_line(std::string_view line);
// "7" for "/sebring-x/7" in the tree "sebring-x"; nullopt for what lies elsewhere.
std::optional<std::string> name_in_tree(std::string_view group, std::string_view tree);

}  // namespace sebring::runner
