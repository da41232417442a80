#pragma once
// dial.sock: one message in, one message with a socket out.
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <set>

#include "runner/sandboxes.h"

namespace sebring::runner {

class DialServer {
 public:
  // Takes over a listening SOCK_SEQPACKET socket.
  DialServer(asio::any_io_executor executor, UniqueFd listening, Sandboxes& sandboxes);
  void close();

 private:
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(UniqueFd connection);

  asio::any_io_executor executor_;
  asio::posix::stream_descriptor listening_;
  Sandboxes& sandboxes_;
  std::size_t open_ = 0;
};

}  // namespace sebring::runner
