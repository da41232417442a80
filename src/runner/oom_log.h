#pragma once
// The kernel's messages about processes that it killed for memory: who it was. Best effort; the counters of the cgroup
// tell that it happened.
#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace sebring::runner {

namespace asio = boost::asio;

struct OomKill {
  pid_t pid = -1;
  std::string name;
  std::string group;  // path of the memory cgroup at its limit; empty: the whole machine's memory
};

class OomLog {
 public:
  // Follows /dev/kmsg from now on where it is readable.
  explicit OomLog(asio::any_io_executor executor);
  // The last kill of this process, or in this sandbox's group (its last path component).
  std::optional<OomKill> of_process(pid_t pid) const;
  std::optional<OomKill> of_group(const std::string& name) const;

 private:
  void wait();
  void drain();
  std::shared_ptr<asio::posix::stream_descriptor> log_;
  std::deque<OomKill> kills_;
};

// From one kernel message: "oom-kill:constraint=...,oom_memcg=/x/7,task_memcg=/x/7,task=dd,pid=12,uid=0".
std::optional<OomKill> parse_oom_line(std::string_view line);

}  // namespace sebring::runner
