#pragma once
#include <sys/resource.h>
#include <sys/types.h>

#include <span>

namespace sebring::runtime {

struct Launch {
  int executable;               // sealed memory file, 100 or above
  std::span<const int> groups;  // cgroup descriptors to write "0" into
  int control;                  // becomes descriptor 3
  int null;                     // /dev/null; becomes 0-2
  struct Limit {
    int resource;
    rlimit value;
  };
  std::span<const Limit> limits;
};
// Starts the toolbox, which inherits this thread's system call filter. The pid, or -errno. When the child itself fails
// before it executes, its exit code is 98 (exec), 99 (cgroup) or 97 (limits).
pid_t launch(const Launch& what);

}  // namespace sebring::runtime
