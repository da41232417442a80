#include "toolbox/error_body.h"
#include "toolbox/pty_session.h"

namespace sebring::toolbox {

std::string pty_exit_reason(int exit_code) {
  switch (exit_code) {
    case 0:
      return {};
    case 130:
      return "Ctrl+C";
    case 137:
      return "SIGKILL";
    case 143:
      return "SIGTERM";
    default:
      return exit_code > 128 && exit_code <= 128 + 64 ? "signal " + std::to_string(exit_code - 128) : "non-zero exit";
  }
}

namespace {

std::string exit_fields(int exit_code) {
  std::string fields = "\"exitCode\":" + std::to_string(exit_code);
  if (const std::string reason = pty_exit_reason(exit_code); !reason.empty()) {
    fields += ",\"exitReason\":\"" + reason + "\"";
  }
  return fields + "}";
}

}  // namespace

std::string pty_close_reason(int exit_code) { return "{" + exit_fields(exit_code); }

std::string pty_exited_message(int exit_code) {
  return "{\"type\":\"control\",\"status\":\"exited\"," + exit_fields(exit_code);
}

std::string pty_error_message(const std::string& message) {
  std::string text = "{\"type\":\"control\",\"status\":\"error\",\"error\":";
  append_json_string(text, "Failed to connect to PTY session: " + message);
  return text + "}";
}

}  // namespace sebring::toolbox
