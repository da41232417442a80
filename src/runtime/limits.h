#pragma once
// What one sandbox may use, and how its groups get to know.
#include <cstdint>

#include "runtime/host.h"

namespace sebring::runtime {

struct Limits {
  double cpus = 1;
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;
  std::uint64_t disk_bytes = std::uint64_t{3} << 30;  // in force: the plan, plus what forks still hold
  std::uint32_t pids_max = 4096;
  // The disk's limit is the disk's, not the groups'.
  bool same_groups(const Limits& other) const {
    return cpus == other.cpus && memory_bytes == other.memory_bytes && pids_max == other.pids_max;
  }
};

// Puts the limits of CPUs, memory and processes into force, and shows them in the sandbox's own /proc files.
Result<void> apply_limits(Host& host, Index index, const Limits& limits);

}  // namespace sebring::runtime
