#pragma once
// A sandbox's root: overlayfs over id-mapped layers and an id-mapped upper.
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "os/features.h"
#include "runtime/lease.h"

namespace sebring::runtime {

// The whole pool with ids shifted into one sandbox's range: one mount serves all layers and the upper.
struct PoolView {
  UniqueFd mount;
  std::string attached_at;  // not empty on kernels that build overlays from attached mounts only
};
Result<PoolView> make_pool_view(int pool_root, int user_namespace, const os::Abilities& abilities,
                                const std::string& place, Index index);

struct RootSpec {
  std::vector<std::string> layers;  // paths below the view, bottom first; at least one
  std::string upper;                // path below the view of the directory with u and w
};
// Detached. The calling thread must have SECBIT_NO_SETUID_FIXUP (prepare_mounting_thread): its file system ids become
// the sandbox's while overlayfs makes its work directory, and its capabilities must stay.
Result<UniqueFd> make_root(const PoolView& view, const RootSpec& spec, const os::Abilities& abilities, Index index);

// For each thread that mounts. Errc::forbidden without CAP_SETPCAP.
Result<void> prepare_mounting_thread();

}  // namespace sebring::runtime
