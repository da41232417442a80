#pragma once
#include <sys/resource.h>
#include <sys/types.h>

#include <span>

namespace sebring::runtime {

struct Launch {
  // These three above descriptor 3, and low: the child copies the table of descriptors up to the highest of them.
  int executable;               // sealed memory file
  int control;                  // becomes descriptor 3
  int null;                     // /dev/null; becomes 0-2
  std::span<const int> groups;  // cgroup descriptors to write "0" into; any numbers
  struct Limit {
    int resource;
    rlimit value;
  };
  std::span<const Limit> limits;
  int words = -1;  // becomes 2 instead of `null`; low too
};
// Starts the toolbox, which inherits this thread's system call filter. The pid, or -errno. When the child itself fails
// before it executes, its exit code is 96 (descriptors), 97 (limits), 98 (exec) or 99 (cgroup).
pid_t launch(const Launch& what);

}  // namespace sebring::runtime
