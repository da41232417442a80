#pragma once
// A server's short name on its machine: directories, cgroups, links and tables are named after it, so that several
// servers with different data directories do not meet.
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::config {

// Five characters of [a-z0-9], the first a letter.
bool is_instance_id(std::string_view text);
// Errc::not_found before the first start.
Result<std::string> read_instance(const std::string& data_dir);
// Reads it or makes it (DATA-DIR/instance). The caller holds the lock of the data directory.
Result<std::string> ensure_instance(const std::string& data_dir);

}  // namespace sebring::config
