#pragma once
// Pseudo-terminals of the sandbox's own devpts instance.
#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::toolbox {

struct PtySize {
  unsigned short cols = 80;
  unsigned short rows = 24;
};
inline constexpr int kPtySizeMax = 1000;  // columns and rows: 1 to this

struct PtyDevice {
  UniqueFd controller;  // ours, non-blocking
  UniqueFd terminal;    // of the user, for the shell's standard descriptors
};

// `devpts`: root of the instance, borrowed; -1: the host's, by /dev/ptmx. UTF-8 is on.
Result<PtyDevice> open_pty(int devpts, PtySize size, uid_t uid);
Result<void> resize_pty(int controller, PtySize size);

}  // namespace sebring::toolbox
