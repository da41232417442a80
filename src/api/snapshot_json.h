#pragma once
#include <boost/json/fwd.hpp>

#include "model/snapshot.h"

namespace sebring::api {

boost::json::object snapshot_json(const model::Snapshot& snapshot);

}  // namespace sebring::api
