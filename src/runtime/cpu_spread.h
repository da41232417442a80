#pragma once
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/lease.h"

namespace sebring::runtime {

// Gives each sandbox as many CPUs as it may use at once, the least used ones: nproc then tells the truth.
class CpuSpread {
 public:
  explicit CpuSpread(std::vector<int> cpus);
  // Chosen CPUs, ascending; at least one, at most all. Replaces what the index had.
  std::vector<int> choose(Index index, double cpus);
  void release(Index index);
  int count() const { return static_cast<int>(cpus_.size()); }

 private:
  std::mutex mutex_;
  std::vector<int> cpus_;
  std::vector<int> load_;                     // sandboxes per entry of cpus_
  std::map<Index, std::vector<int>> chosen_;  // positions in cpus_
};

}  // namespace sebring::runtime
