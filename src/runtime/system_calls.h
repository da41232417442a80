#pragma once
#include <linux/filter.h>

#include <vector>

#include "base/result.h"

namespace sebring::runtime {

// The system calls that a sandbox may use at all, and those that setting it up needs; anything else is ENOSYS. A
// balanced tree: 96 us to load, so the thread that starts slots loads it once and every slot inherits it. The second
// filter (slot/drop.cpp) takes back what only setting up needed.
class SystemCallFilter {
 public:
  static Result<SystemCallFilter> compile();
  // For good, for the calling thread and what it starts.
  Result<void> load_into_this_thread() const;

 private:
  std::vector<sock_filter> code_;
};

}  // namespace sebring::runtime
