#pragma once
#include <boost/json/fwd.hpp>
#include <string>
#include <vector>

#include "control/control.h"

namespace sebring::control {

// From the description of an image that snapshots/build writes: the root and its configuration, ready to be named. Its
// resources are the smallest. Errc::invalid_argument names what is missing.
Result<model::Snapshot> read_image_description(const boost::json::object& description);

// Makes or refreshes the snapshots that everybody has: daytona-small, -medium, -large of the image, and its own name
// ("default") for the small one, which lists do not show twice.
asio::awaitable<Result<void>> put_default_snapshots(Control& control, std::string name, model::Snapshot image);

}  // namespace sebring::control
