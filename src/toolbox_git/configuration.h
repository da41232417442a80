#pragma once
// Reading git's configuration.
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "toolbox_git/handles.h"

namespace sebring::toolbox_git {

// All levels that hold for a repository; with null those of the user and the system.
Result<Config> configuration_of(git_repository* repository);

// nullopt when it is not set (or is no boolean).
std::optional<std::string> config_text(git_config* config, const char* name);
std::optional<bool> config_boolean(git_config* config, const char* name);
// Every value of a setting that has several, lowest level first.
std::vector<std::string> config_values(git_config* config, const char* name);
// Values of all settings whose name matches the regular expression.
std::vector<std::string> config_values_matching(git_config* config, const char* pattern);

}  // namespace sebring::toolbox_git
