#pragma once
// The system calls between "start this" and the program's first instruction. The child shares the daemon's memory until
// it executes, without the daemon waiting for it: everything it needs lies in a Launch, which must stay until
// finished().
#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "toolbox/process.h"

namespace sebring::toolbox {

enum class SpawnStep : int { none, clone, cgroup, session, terminal, stdio, identity, cwd, exec };
std::string_view spawn_step_name(SpawnStep step);

// What the child writes to the status pipe when it fails; a successful exec closes the pipe with nothing in it.
struct SpawnFailure {
  SpawnStep step = SpawnStep::none;
  int error = 0;
};

class Launch {
 public:
  // `null_device` is what -1 in stdio stands for. Into `cgroup_file` the child writes "0" to join the users' cgroup;
  // -1: it stays in ours. Both are borrowed.
  Launch(StartSpec spec, int cgroup_file, int null_device);
  ~Launch();
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  // Clones. Returns the pid, or -errno. `status` is the writing end of the status pipe; it may be closed here
  // afterwards.
  pid_t clone_child(int status);
  // True once the child no longer uses this memory: it has executed or ended.
  bool finished() const { return child_tid_.load(std::memory_order_acquire) == 0; }
  const StartSpec& spec() const { return spec_; }

 private:
  static void entry(void* self);
  [[noreturn]] void child() const;
  bool map_stack();

  StartSpec spec_;
  int cgroup_file_;
  bool change_identity_;  // not root (in tests): commands run as who we are
  int stdio_[3];
  int status_ = -1;
  std::vector<std::string> paths_;
  std::vector<const char*> path_pointers_;
  std::vector<char*> argv_;
  std::vector<char*> environment_;
  void* stack_ = nullptr;
  // Set before the clone; the kernel zeroes it when the child lets go of our memory (CLONE_CHILD_CLEARTID).
  std::atomic<int> child_tid_{0};
};

}  // namespace sebring::toolbox
