#pragma once
// Starting, watching and ending the user's processes. The daemon is PID 1: whatever nobody waits for is reaped here
// too.
#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::toolbox {

namespace asio = boost::asio;

struct StartSpec {
  // Absolute paths tried in order as execvp(3) does; empty: argv[0] is looked up in PATH of `environment`, as the user.
  std::vector<std::string> candidates;
  // Instead of candidates: an executable (no script) that is open here, borrowed until start() returns. -1: none.
  int executable = -1;
  std::vector<std::string> argv;         // an empty argv[0] stands for the path that is executed
  std::vector<std::string> environment;  // "NAME=value"
  std::string cwd;                       // entered as the user
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  int stdio[3] = {-1, -1, -1};   // borrowed until start() returns; -1 is /dev/null
  bool controlling_tty = false;  // stdio[0] is a terminal and becomes the session's
};

// A memory limit that ended a process: what the user needs to know to act.
struct OutOfMemory {
  std::uint64_t limit_bytes = 0;
  std::uint64_t peak_bytes = 0;
  std::string victim;  // name of the process that was killed; empty: nobody has told
};

struct ExitStatus {
  int code = 0;    // exit code, or 128 + signal
  int signal = 0;  // 0: exited by itself
  // Set when the memory cgroup killed something between start and end of this process, and this one failed.
  // With two commands at once it may have been the other's.
  std::optional<OutOfMemory> out_of_memory;
};

// One child in a session and process group of its own. Destroying it does not end it.
class Process {
 public:
  virtual ~Process() = default;
  virtual pid_t pid() const = 0;
  // May be awaited several times and by several; completes at once when it has ended. At a memory limit it waits a
  // moment longer for the name of the victim, which ended() may not have.
  virtual asio::awaitable<ExitStatus> wait() = 0;
  virtual std::optional<ExitStatus> ended() const = 0;
  // To its process group. Nothing happens once it has been reaped.
  virtual void signal_group(int signal) = 0;
  // To the other groups of its session, which `timeout` and job control make, and to its own with `own_group`, also
  // when it has been reaped. Whoever has left the session has left for good. Reads all of /proc.
  virtual void signal_session(int signal, bool own_group) = 0;
  virtual bool session_alive() const = 0;
  // SIGKILL to its group, its session and all descendants, repeated until a pass finds none.
  virtual asio::awaitable<void> kill_tree() = 0;
};

class Spawner {
 public:
  virtual ~Spawner() = default;
  // Returns once the program is executed. Errors name the step (cwd, exec, ...) and carry the errno.
  virtual asio::awaitable<Result<std::shared_ptr<Process>>> start(StartSpec spec) = 0;
};

// `user_cgroup`, `memory_cgroup`: as in slot::Entered; borrowed, -1 for none.
std::unique_ptr<Spawner> make_spawner(asio::io_context& io, int user_cgroup, int memory_cgroup);

// A pipe, both ends close-on-exec, ours non-blocking.
struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
Result<Pipe> make_output_pipe();  // read_end is ours
Result<Pipe> make_input_pipe();   // write_end is ours

}  // namespace sebring::toolbox
