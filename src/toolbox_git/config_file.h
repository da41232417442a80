#pragma once
// Settings of one scope: the files that git itself reads and writes.
#include <optional>
#include <string>

#include "base/result.h"
#include "toolbox_git/request.h"

namespace sebring::toolbox_git {

// nullopt when it is not set in this scope. `repository` is the path for Scope::local.
Result<std::optional<std::string>> read_config(Scope scope, const std::string& repository, const std::string& key);
// Replaces the value, also where there were several.
Result<void> write_config(Scope scope, const std::string& repository, const std::string& key, const std::string& value);
// Adds a value beside those that are there.
Result<void> add_config_value(Scope scope, const std::string& repository, const std::string& key,
                              const std::string& value);

}  // namespace sebring::toolbox_git
