#pragma once
// The JSON of the runner's API, both directions, without any connection.
#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/runner_client.h"

namespace sebring::control {

std::string write_spec(const RunnerSpec& spec);
std::string write_limits(const RunnerLimits& limits);
Result<RunnerInfo> read_info(const boost::json::object& object);
Result<RunnerReport> read_report(const boost::json::object& object);
Result<std::vector<RunnerReport>> read_reports(const boost::json::object& object);
// nullopt for kinds that we do not know and lines that are no event.
std::optional<RunnerEvent> read_event(std::string_view line);
// `body` may be null when it was no JSON.
Error read_error(int status, const boost::json::object* body);

}  // namespace sebring::control
