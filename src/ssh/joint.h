#pragma once
// One SSH channel joined to one connection into the sandbox. Driven by its session's loop; never waits.
#include <libssh/libssh.h>

#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace sebring::ssh {

class Joint {
 public:
  explicit Joint(ssh_channel channel) : channel_(channel) {}
  virtual ~Joint();
  Joint(const Joint&) = delete;
  Joint& operator=(const Joint&) = delete;

  // Moves what can be moved now. true: there is more, call again before waiting.
  virtual bool service() = 0;
  // poll() events of fd() that are worth waking up for; 0: none.
  short wanted_events() const;
  int fd() const { return server_.get(); }
  bool is(ssh_channel channel) const { return channel_ == channel; }
  // Nothing is left to do; may be destroyed (outside of libssh's callbacks).
  bool over() const { return over_; }
  // The session ends: a last word where somebody reads it.
  virtual void say_goodbye(const std::string& text) {}

 protected:
  // Room of the client's window, 0 once the channel is closed.
  std::size_t room() const;
  // Sends what was queued for the sandbox. false: it takes no more, ever.
  bool flush_to_server();
  // At most `into` bytes; 0: nothing now; -1: the end.
  long receive(char* into, std::size_t size);
  void finish();

  ssh_channel channel_;
  UniqueFd server_;        // non-blocking
  std::string to_server_;  // at most one piece of the client's
  bool server_ended_ = false;
  bool over_ = false;
  // Registered with the session's poll; kept here by the session.
  friend class Session;
  short registered_events_ = 0;
  int registered_fd_ = -1;
};

// Bytes as they are: forwarded ports.
class RawJoint final : public Joint {
 public:
  // `early`: what came from the server already.
  RawJoint(ssh_channel channel, UniqueFd server, std::string early = {});
  bool service() override;

 private:
  bool from_client();
  bool from_server();
  std::string early_;
  bool client_ended_ = false;
  bool sent_eof_ = false;
};

}  // namespace sebring::ssh
