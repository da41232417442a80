#pragma once
// Lists of networks and domains that a sandbox may reach, as clients write them.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sebring::model {

// Comma-separated IPv4 networks, at most 10: "10.0.0.0/8, 192.0.2.1/32". Gives them trimmed, in order.
Result<std::vector<std::string>> parse_network_list(std::string_view text);
// Comma-separated names, at most 10, each maybe with a leading "*.". Gives them in lower case.
Result<std::vector<std::string>> parse_domain_list(std::string_view text);

}  // namespace sebring::model
