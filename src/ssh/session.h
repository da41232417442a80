#pragma once
// One SSH connection, on a thread of its own.
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ssh/loop_calls.h"
#include "ssh/process_joint.h"
#include "ssh/remote_forward.h"
#include "ssh/throttle.h"

namespace sebring::ssh {

struct SessionFree {
  void operator()(ssh_session_struct* session) const { ::ssh_free(session); }
};

class Session {
 public:
  // `session`: accepted, its key exchange not begun. `address`: the client's, already admitted by the throttle.
  Session(ssh_session session, std::string address, LoopCalls& calls, Throttle& throttle);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // To the end of the connection.
  void run();
  // From any thread: ends it soon.
  void stop();

 private:
  enum class Progress { done, failed };
  Progress exchange_keys();
  Progress log_in();
  void serve();
  bool wait(int milliseconds);
  bool check_token(const std::string& token);
  int authenticate(const char* user, const char* password);
  void update_polling(Joint& joint);
  void forget(int& registered_fd);
  void service_all(bool& more);
  void remove_finished();
  void tell_why();
  std::string why_lost();
  void end_for_cause();
  bool start_process(ssh_channel channel, boost::json::object what);
  ProcessJoint* find(ssh_channel channel);
  int on_message(ssh_message message);
  int open_direct(ssh_message message);
  int change_remote_forward(ssh_message message, bool cancel);
  void set_callbacks();

  std::unique_ptr<ssh_session_struct, SessionFree> session_;
  ssh_event event_ = nullptr;
  std::string address_;
  LoopCalls& calls_;
  Throttle& throttle_;
  UniqueFd wake_;  // eventfd
  std::atomic<bool> stopping_{false};
  bool waiting_in_throttle_ = true;
  int tries_ = 0;
  bool refused_for_good_ = false;
  std::string token_hint_;  // the last user name that was wrong, so that one client's retries count once
  std::optional<proxy::TokenUse> use_;
  SessionHold hold_;
  std::vector<std::unique_ptr<Joint>> joints_;
  std::vector<std::unique_ptr<RemoteForward>> forwards_;
  std::vector<int> forward_fds_;  // registered
  ssh_server_callbacks_struct server_callbacks_{};
  ssh_channel_callbacks_struct channel_callbacks_{};
};

}  // namespace sebring::ssh
