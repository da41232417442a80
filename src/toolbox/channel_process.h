#pragma once
// One process joined to one connection, as an SSH session wants it.
#include <boost/asio/posix/stream_descriptor.hpp>

#include "net/stream.h"
#include "toolbox/channel_wire.h"
#include "toolbox/context.h"
#include "toolbox/notifier.h"
#include "toolbox/pty_device.h"

namespace sebring::toolbox {

// What the frame `run` asks for, checked.
struct ChannelRequest {
  std::string command;  // for the shell; empty: a login shell
  bool sftp = false;
  bool pty = false;
  std::string term;
  PtySize size;
  std::vector<std::pair<std::string, std::string>> environment;
};
Result<ChannelRequest> parse_channel_request(std::string_view json);
// "TERM" -> SIGTERM; 0 for what is none.
int signal_number(std::string_view name);
// The other way; "" for what has no name on the SSH wire.
std::string_view signal_name(int number);

// Serves until the process has ended and its output was sent, or the client has gone. Then its terminal or pipes are
// closed and its group gets SIGHUP; what put itself into the background lives on, as after any logout.
asio::awaitable<void> serve_channel(Context& context, std::unique_ptr<net::ByteStream> stream,
                                    std::string already_read);

}  // namespace sebring::toolbox
