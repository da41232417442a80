#pragma once
// What this kernel can do, found out by trying. One place, for the decisions of the runtime and for `sebring doctor`.
#include <string>
#include <vector>

namespace sebring::os {

struct Abilities {
  bool detached_sources = false;      // 6.15: clone and overlay from mounts that are attached nowhere
  bool layers_by_descriptor = false;  // 6.13: overlay takes layers as descriptors
  bool id_mapped_tmpfs = false;       // 6.3
};
// Cheap (under a millisecond); needs root.
Abilities probe_abilities();

struct Feature {
  std::string name;
  bool present = false;
  bool required = false;
  std::string cost;    // what its absence costs
  std::string remedy;  // the command or setting that mends it
};
// All that sandboxes profit from. `data_dir` is where the pool would lie. Without root some are reported as absent.
std::vector<Feature> probe_features(const std::string& data_dir);

}  // namespace sebring::os
