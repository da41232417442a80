#pragma once
// Looks into a sandbox whose idle time is over before it is stopped: being stopped in the middle of work is worse than
// running a while longer.
#include <boost/json/fwd.hpp>
#include <string>

#include "control/control.h"

namespace sebring::control {

// More than this share of one processor since the last look is work. A waiting shell or server uses a thousandth.
inline constexpr double kBusyCpuShare = 0.05;

// Remembers how much processor time it has used until now; a later is_working() compares. Cheap; asks the runner.
asio::awaitable<void> note_usage(Control& control, std::string sandbox_id);
// Whether a command of one of its sessions still runs, or it used more than kBusyCpuShare since note_usage().
asio::awaitable<bool> is_working(Control& control, std::string sandbox_id);

// Of the toolbox's list of sessions. What it says is a sandbox's word: bounded, believed only to the sandbox's own
// good.
bool has_running_command(const boost::json::value& sessions);

}  // namespace sebring::control
