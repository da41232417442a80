#pragma once
// API keys, through the server's administration socket: no key is needed to make the first one, only the right to open
// the socket (root, or the control user).
#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"

namespace sebring::cli {

struct KeyCreateOptions {
  std::string name;
  std::vector<std::string> permissions;      // empty: all
  std::optional<std::int64_t> expires_days;  // none: never
};
int create_key(const std::string& socket, const Output& output, const KeyCreateOptions& options);
int list_keys(const std::string& socket, const Output& output);
int delete_key(const std::string& socket, const Output& output, const std::string& name);

// RUN-DIR/control/admin.sock of the server with this data directory. Errc::unavailable, saying so, when it does not
// run.
Result<std::string> find_admin_socket(const std::string& data_dir, const std::string& run_dir);

}  // namespace sebring::cli
