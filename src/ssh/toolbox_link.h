#pragma once
// Connections to a sandbox's toolbox from a session's thread. They wait, bounded: the toolbox is untrusted.
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::ssh {

// A blocking socket with time limits on each call.
Result<UniqueFd> connect_toolbox(const std::string& socket_path);
// Asks for an upgrade and reads the answer's head; what came behind it is left in `rest`.
// Errc::conflict with the toolbox's message when it refused.
Result<UniqueFd> upgrade_toolbox(const std::string& socket_path, const std::string& target, std::string_view protocol,
                                 std::string& rest);
// One line (without its end) of at most 4096 characters, from `rest` and then the socket.
Result<std::string> read_line(int fd, std::string& rest);

}  // namespace sebring::ssh
