#include "os/reclaim.h"

#include "os/file.h"

namespace sebring::os {

// Asked for more than there is, version 2 (Linux 5.19) says EAGAIN when it has found what there was.
void reclaim_memory(int memory_directory) {
  if (exists_at(memory_directory, "memory.reclaim")) {
    if (auto now = read_at(memory_directory, "memory.current", 64)) {
      (void)write_at(memory_directory, "memory.reclaim", *now);
    }
    return;
  }
  (void)write_at(memory_directory, "memory.force_empty", "0");
}

}  // namespace sebring::os
