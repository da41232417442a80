#pragma once
// Loop devices: a file as a disk.
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

struct LoopDevice {
  UniqueFd device;  // the device clears itself after its last user
  std::string path;
  bool direct_io = false;
};
// The device that already shows this very file (same inode), or a new one. Two devices on one btrfs would be two
// owners of one disk, so callers serialise this by a lock on the file.
Result<LoopDevice> attach_loop(int file);
// After the file has grown.
Result<void> refresh_loop_size(int device);

}  // namespace sebring::os
