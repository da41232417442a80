#pragma once
#include <string>

namespace sebring::cli {

// First steps with the official SDKs against this server. `key` may be empty: a placeholder stands there then.
std::string quickstart(const std::string& api_url, const std::string& key);

}  // namespace sebring::cli
