#pragma once
// A port of the sandbox's loopback whose connections go to the SSH client (ssh -R).
#include <libssh/libssh.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ssh/joint.h"

namespace sebring::ssh {

class RemoteForward {
 public:
  // Listens in the sandbox; 0: any port. `address`: as the client named it, given back with each connection.
  static Result<std::unique_ptr<RemoteForward>> open(std::string toolbox_socket, std::string address,
                                                     std::uint16_t port);

  std::uint16_t port() const { return port_; }
  const std::string& address() const { return address_; }
  int fd() const { return listener_.get(); }
  // The toolbox has closed it.
  bool over() const { return over_; }

  // Takes what came in and opens channels for it; what is ready is added to `joints`.
  void service(ssh_session session, std::vector<std::unique_ptr<Joint>>& joints);

 private:
  struct Opening {
    ssh_channel channel;
    UniqueFd server;
    std::string early;  // what the server said already
    std::string from_address;
    int from_port;
  };
  void fetch(ssh_session session, const std::string& line);

  std::string toolbox_socket_;
  std::string address_;
  std::uint16_t port_ = 0;
  UniqueFd listener_;  // non-blocking
  std::string rest_;
  std::vector<Opening> opening_;
  bool over_ = false;
};

}  // namespace sebring::ssh
