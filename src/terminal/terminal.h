#pragma once
// The web terminal behind a preview's port 22222.
#include <map>
#include <memory>

#include "proxy/preview_proxy.h"

namespace sebring::terminal {

struct TerminalOptions {
  // Origin of the dashboard, which may show the terminal in a frame: "http://localhost:3000". Empty: nobody may.
  std::string platform_origin;
  // How long a shell waits for its page to come back.
  std::chrono::minutes keep_shell{10};
};

// `GET /` the page, `GET /assets/...` what it loads, `GET /ws` the socket: text with {"rows","cols"} resizes,
// everything else is input, output comes as text. `/ws?session=NAME` finds the same shell again after the connection
// was lost; without a name the shell ends with the connection.
std::unique_ptr<proxy::TerminalService> make_terminal(boost::asio::any_io_executor executor, proxy::Shared& shared,
                                                      TerminalOptions options);

}  // namespace sebring::terminal
