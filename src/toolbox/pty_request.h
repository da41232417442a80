#pragma once
// What clients say about terminals they want.
#include <boost/json/object.hpp>

#include "net/exchange.h"
#include "toolbox/pty_session.h"

namespace sebring::toolbox {

inline constexpr std::string_view kPtyExitControl = "X-Daytona-Pty-Exit-Control";
inline constexpr std::string_view kPtyEnvsPrefix = "X-Daytona-Pty-Envs~";

// Body of POST /process/pty. The directory is resolved; whether it is there shows at the start.
Result<PtySettings> parse_pty_create(const boost::json::object& body, const Context& context);
Result<PtySize> parse_pty_resize(const boost::json::object& body);
// Query and offered subprotocols of the WebSocket that creates and attaches in one.
Result<PtySettings> parse_pty_create_connect(const net::Query& query, const std::vector<std::string>& subprotocols,
                                             const Context& context);
// The one to select of those offered: exit control, else the client's version, else the one with variables, else "".
std::string select_pty_subprotocol(const std::vector<std::string>& offered);

}  // namespace sebring::toolbox
