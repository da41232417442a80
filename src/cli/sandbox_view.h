#pragma once
// Sandboxes as text for people. Pure: JSON of the API in, text out.
#include <boost/json/fwd.hpp>
#include <string>

#include "base/time.h"

namespace sebring::cli {

std::string render_sandbox_list(const boost::json::array& sandboxes, WallMs now);
std::string render_sandbox(const boost::json::object& sandbox, WallMs now);
std::string render_snapshot_list(const boost::json::array& snapshots, WallMs now);
std::string render_key_list(const boost::json::array& keys, WallMs now);

// "5s", "3m", "2h", "4d" since `date` (ISO 8601); "-" when there is none or it is no date.
std::string age(std::string_view date, WallMs now);

}  // namespace sebring::cli
