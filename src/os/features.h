#pragma once
// What this kernel can do with mounts, found out by trying: for the decisions of the runtime and for `sebring doctor`.
namespace sebring::os {

struct Abilities {
  bool detached_sources = false;      // 6.15: clone and overlay from mounts that are attached nowhere
  bool layers_by_descriptor = false;  // 6.13: overlay takes layers as descriptors
  bool id_mapped_tmpfs = false;       // 6.3
};
// Cheap (under a millisecond); needs root.
Abilities probe_abilities();

}  // namespace sebring::os
