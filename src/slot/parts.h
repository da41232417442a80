#pragma once
// The steps of wait_in_slot(), in order.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "slot/protocol.h"

namespace sebring::slot {

// Network, and /proc, /sys, /dev with their masks, complete, in a skeleton that becomes our root. Gives the devpts
// root.
Result<UniqueFd> prepare(const Prepare& order, const UniqueFd& dev, const UniqueFd& skeleton,
                         const UniqueFd& own_files);

struct EnterTexts {
  std::string_view hosts;
  std::string_view resolv;
};
// Puts the image's root on top of the skeleton and makes it ours.
Result<void> enter(const Enter& order, const UniqueFd& root, const EnterTexts& texts);

// Takes back what setting up needed: system calls, capabilities.
Result<void> drop_bounding_set();
Result<void> drop_privileges();

}  // namespace sebring::slot
