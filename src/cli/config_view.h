#pragma once
// `sebring config`: every setting, its value, and where the value comes from.
#include <boost/json/fwd.hpp>
#include <string>

#include "config/load.h"

namespace sebring::cli {

// `verbose`: also what each means and may be.
std::string render_config(const config::Loaded& loaded, bool verbose);
boost::json::value config_json(const config::Loaded& loaded);

}  // namespace sebring::cli
