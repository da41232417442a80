#pragma once
// A session channel: what it asked for (terminal, environment), then one process in the sandbox.
#include <boost/json.hpp>
#include <vector>

#include "ssh/joint.h"
#include "toolbox/channel_wire.h"

namespace sebring::ssh {

class ProcessJoint final : public Joint {
 public:
  explicit ProcessJoint(ssh_channel channel) : Joint(channel) {}

  // What comes before the start. false: refused.
  bool set_environment(const std::string& name, const std::string& value);
  bool set_terminal(std::string term, int cols, int rows);
  void resize(int cols, int rows);
  void signal(const std::string& name);
  bool started() const { return static_cast<bool>(server_); }

  // `what`: {"command": ...} or {"subsystem": ...} or empty for a shell. `server`: connected to the toolbox.
  void start(boost::json::object what, UniqueFd server);
  // Instead: says why on the error stream and ends with `code`.
  void refuse(const std::string& why, int code);

  bool service() override;
  // The toolbox went without a last word; whoever finds out why tells it with refuse().
  bool lost() const { return lost_; }
  // Its process was killed, maybe since the sandbox is being stopped; whoever finds out calls end_killed(), with an
  // empty `why` when it is not.
  bool killed() const { return !killed_by_.empty() && !over_; }
  void end_killed(const std::string& why);
  void say_goodbye(const std::string& text) override;

 private:
  bool from_client();
  bool from_server();
  bool parse();
  bool read_answer_head();
  bool begin_frame();
  bool pass_output();
  void handle_frame(std::string_view payload);
  void end_with(int code, const std::string& signal);
  void queue(toolbox::FrameType type, std::string_view payload);

  boost::json::object environment_;
  bool on_terminal_ = false;
  std::string term_;
  int cols_ = 80;
  int rows_ = 24;
  bool client_ended_ = false;
  bool answered_ = false;  // the toolbox has accepted the upgrade
  bool lost_ = false;
  std::string killed_by_;  // name of the signal
  int killed_code_ = 255;
  bool ended_ = false;       // exit status sent
  std::string from_server_;  // received, not yet handled
  bool in_frame_ = false;
  toolbox::FrameHead frame_{};
};

}  // namespace sebring::ssh
