#pragma once
// A clock for ages that outlive the process: idle times, time to live. It advances with the steady clock, so a jump of
// the wall clock (a day, a year) stops and deletes nothing. Over a restart of this process it goes on where it would
// be; over a reboot it advances by what the wall clock says, but never backwards and by at most kGapMax: a machine
// whose clock is wrong at boot does too little, never too much.
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/sandbox.h"

namespace sebring::control {

class ServiceClock {
 public:
  static constexpr std::int64_t kGapMax = 24 * 60 * 60 * 1000;

  // `saved`: what save() gave earlier. `boot_id` tells whether the steady clock is still the same one.
  ServiceClock(const Clock& clock, std::string boot_id, const std::optional<std::string>& saved);
  model::ServiceMs now() const;
  std::string save() const;

 private:
  const Clock& clock_;
  std::string boot_id_;
  model::ServiceMs base_ = 0;
  std::int64_t steady_base_ = 0;
};

// Of the running kernel; empty when it cannot be read.
std::string read_boot_id();

}  // namespace sebring::control
