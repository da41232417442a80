#include "ssh/process_joint.h"

#include <fcntl.h>
#include <libssh/server.h>
#include <sys/socket.h>

#include <algorithm>

#include "json/json.h"

namespace sebring::ssh {
namespace {

using toolbox::FrameType;
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr int kPiecesPerTurn = 8;
// Received from the toolbox and not yet taken by the client.
constexpr std::size_t kAheadBytesMax = 256 * 1024;
constexpr std::size_t kEnvironmentMax = 128;
constexpr std::size_t kEnvironmentBytesMax = 32 * 1024;

bool is_name(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

bool ProcessJoint::set_environment(const std::string& name, const std::string& value) {
  if (!is_name(name) || environment_.size() >= kEnvironmentMax || value.size() > kEnvironmentBytesMax) return false;
  environment_[name] = value;
  return true;
}

bool ProcessJoint::set_terminal(std::string term, int cols, int rows) {
  if (on_terminal_ || started()) return false;
  on_terminal_ = true;
  term_ = std::move(term);
  if (cols > 0) cols_ = std::min(cols, 65535);
  if (rows > 0) rows_ = std::min(rows, 65535);
  return true;
}

void ProcessJoint::queue(FrameType type, std::string_view payload) {
  to_server_ += toolbox::frame_head(type, payload.size());
  to_server_ += payload;
}

void ProcessJoint::resize(int cols, int rows) {
  if (cols <= 0 || rows <= 0) return;
  cols_ = std::min(cols, 65535);
  rows_ = std::min(rows, 65535);
  if (started()) queue(FrameType::window, std::to_string(cols_) + " " + std::to_string(rows_));
}

void ProcessJoint::signal(const std::string& name) {
  if (started() && name.size() < 16) queue(FrameType::signal, name);
}

void ProcessJoint::start(boost::json::object what, UniqueFd server) {
  ::fcntl(server.get(), F_SETFL, ::fcntl(server.get(), F_GETFL) | O_NONBLOCK);
  server_ = std::move(server);
  if (on_terminal_) what["pty"] = boost::json::object{{"term", term_}, {"cols", cols_}, {"rows", rows_}};
  if (!environment_.empty()) what["env"] = environment_;
  // The order goes out behind the request for the upgrade, without waiting for its answer.
  to_server_ = "GET /process/channel HTTP/1.1\r\nHost: sandbox\r\nConnection: Upgrade\r\nUpgrade: " +
               std::string(toolbox::kProcessUpgrade) + "\r\n\r\n";
  queue(FrameType::run, json::serialize(what));
}

void ProcessJoint::refuse(const std::string& why, int code) {
  const std::string text = why + "\r\n";
  if (::ssh_channel_is_open(channel_)) {
    ::ssh_channel_write_stderr(channel_, text.data(), static_cast<std::uint32_t>(std::min(text.size(), room())));
  }
  end_with(code, "");
}

void ProcessJoint::say_goodbye(const std::string& text) {
  if (!ended_ && room() > text.size()) {
    ::ssh_channel_write_stderr(channel_, text.data(), static_cast<std::uint32_t>(text.size()));
  }
  end_with(255, "");
}

void ProcessJoint::end_with(int code, const std::string& signal) {
  if (ended_) return;
  ended_ = true;
  if (::ssh_channel_is_open(channel_)) {
    if (signal.empty()) {
      ::ssh_channel_request_send_exit_status(channel_, code);
    } else {
      ::ssh_channel_request_send_exit_signal(channel_, signal.c_str(), 0, "", "");
    }
    ::ssh_channel_send_eof(channel_);
  }
  finish();
}

bool ProcessJoint::from_client() {
  if (!to_server_.empty() || client_ended_) return false;
  char piece[kPieceBytes];
  const int got = ::ssh_channel_read_nonblocking(channel_, piece, sizeof piece, 0);
  if (got > 0) {
    queue(FrameType::input, {piece, static_cast<std::size_t>(got)});
    (void)flush_to_server();
    return true;
  }
  if (got == SSH_ERROR || ::ssh_channel_is_eof(channel_)) {
    client_ended_ = true;
    queue(FrameType::end, {});
    (void)flush_to_server();
  }
  return false;
}

bool ProcessJoint::from_server() {
  if (server_ended_ || from_server_.size() >= kAheadBytesMax || room() == 0) return false;
  char piece[kPieceBytes];
  const long got = receive(piece, sizeof piece);
  if (got == 0) return false;
  if (got < 0) {
    server_ended_ = true;
    return false;
  }
  from_server_.append(piece, static_cast<std::size_t>(got));
  return true;
}

bool ProcessJoint::read_answer_head() {
  const std::size_t end = from_server_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (from_server_.size() > 16 * 1024) refuse("The sandbox's toolbox gave no answer that makes sense.", 255);
    return false;
  }
  if (!from_server_.starts_with("HTTP/1.1 101 ")) {
    refuse("The sandbox's toolbox refused the session.", 255);
    return false;
  }
  from_server_.erase(0, end + 4);
  answered_ = true;
  return true;
}

bool ProcessJoint::begin_frame() {
  if (from_server_.size() < toolbox::kFrameHeadBytes) return false;
  frame_ = toolbox::parse_frame_head(from_server_);
  if (frame_.length > toolbox::kFrameBytesMax) {
    refuse("The sandbox's toolbox gave no answer that makes sense.", 255);
    return false;
  }
  from_server_.erase(0, toolbox::kFrameHeadBytes);
  in_frame_ = true;
  return true;
}

// Output goes on piece by piece, as far as the client's window allows.
bool ProcessJoint::pass_output() {
  const std::size_t size = std::min({frame_.length, from_server_.size(), room()});
  if (frame_.length > 0 && size == 0) return false;
  if (size > 0) {
    const auto length = static_cast<std::uint32_t>(size);
    const int put = frame_.type == FrameType::output
                        ? ::ssh_channel_write(channel_, from_server_.data(), length)
                        : ::ssh_channel_write_stderr(channel_, from_server_.data(), length);
    if (put <= 0) return false;
    from_server_.erase(0, static_cast<std::size_t>(put));
    frame_.length -= static_cast<std::size_t>(put);
  }
  if (frame_.length == 0) in_frame_ = false;
  return true;
}

void ProcessJoint::handle_frame(std::string_view payload) {
  if (frame_.type == FrameType::failed) return refuse(std::string(payload), 127);
  if (frame_.type != FrameType::ended) return;
  int code = 255;
  std::string signal;
  if (auto object = json::parse_object(payload)) {
    json::ObjectReader reader(*object);
    code = static_cast<int>(reader.integer("code", 0, 255).value_or(255));
    signal = reader.text("signal").value_or("");
  }
  if (signal == "KILL" || signal == "TERM" || signal == "HUP") {
    killed_by_ = signal;
    killed_code_ = code;
  } else {
    end_with(code, signal);
  }
}

void ProcessJoint::end_killed(const std::string& why) {
  if (!why.empty() && room() > why.size()) {
    ::ssh_channel_write_stderr(channel_, why.data(), static_cast<std::uint32_t>(why.size()));
  }
  end_with(killed_code_, killed_by_);
}

// One step through what was received; false when more is needed first.
bool ProcessJoint::parse() {
  if (!answered_) return read_answer_head();
  if (!in_frame_) return begin_frame();
  if (frame_.type == FrameType::output || frame_.type == FrameType::error_output) return pass_output();
  if (from_server_.size() < frame_.length) return false;
  const std::string payload = from_server_.substr(0, frame_.length);
  from_server_.erase(0, frame_.length);
  in_frame_ = false;
  handle_frame(payload);
  return true;
}

bool ProcessJoint::service() {
  if (over_) return false;
  if (!::ssh_channel_is_open(channel_)) {
    finish();
    return false;
  }
  if (!started()) return false;
  (void)flush_to_server();
  bool more = false;
  for (int i = 0; i < kPiecesPerTurn && !over_; ++i) {
    more = from_client();
    more |= from_server();
    while (!over_ && parse()) {
    }
    if (!more) break;
  }
  // With room for more, all that makes sense was handed on: it went without a last word.
  lost_ = !over_ && !killed() && server_ended_ && room() > 0;
  return more && !over_;
}

}  // namespace sebring::ssh
