#include "runtime/cpu_spread.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sebring::runtime {

CpuSpread::CpuSpread(std::vector<int> cpus) : cpus_(std::move(cpus)) {
  if (cpus_.empty()) cpus_.push_back(0);
  load_.assign(cpus_.size(), 0);
}

std::vector<int> CpuSpread::choose(Index index, double cpus) {
  std::lock_guard lock(mutex_);
  for (int position : chosen_[index]) --load_[static_cast<std::size_t>(position)];
  auto wanted = static_cast<std::size_t>(std::clamp(std::ceil(cpus), 1.0, static_cast<double>(cpus_.size())));
  std::vector<int> order(cpus_.size());
  std::iota(order.begin(), order.end(), 0);
  auto size = static_cast<int>(order.size()), shift = static_cast<int>(index % order.size());
  // Among equally loaded ones each index begins elsewhere.
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    int load_a = load_[static_cast<std::size_t>(a)], load_b = load_[static_cast<std::size_t>(b)];
    return load_a != load_b ? load_a < load_b : (a + shift) % size < (b + shift) % size;
  });
  order.resize(wanted);
  std::vector<int> names;
  for (int position : order) {
    ++load_[static_cast<std::size_t>(position)];
    names.push_back(cpus_[static_cast<std::size_t>(position)]);
  }
  chosen_[index] = std::move(order);
  std::sort(names.begin(), names.end());
  return names;
}

void CpuSpread::release(Index index) {
  std::lock_guard lock(mutex_);
  auto found = chosen_.find(index);
  if (found == chosen_.end()) return;
  for (int position : found->second) --load_[static_cast<std::size_t>(position)];
  chosen_.erase(found);
}

}  // namespace sebring::runtime
