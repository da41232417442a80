#pragma once
// How a process (or a listener) in the sandbox is joined to a connection from outside, after an upgrade of
//   GET /process/channel   Upgrade: sebring-process
// Frames both ways: one byte of type, four of length (big-endian), the payload. Shared with the SSH gateway.
#include <cstdint>
#include <string>
#include <string_view>

namespace sebring::toolbox {

inline constexpr std::string_view kProcessUpgrade = "sebring-process";
//   GET /port/listen?port=N   Upgrade: sebring-listen
// listens on the sandbox's 127.0.0.1; answers lines of text: the port (or "error ..."), then one "id address port" for
// each connection that came in, fetched within a minute by
//   GET /port/accept?id=ID    Upgrade: sebring-tcp
// which is that connection, raw.
inline constexpr std::string_view kListenUpgrade = "sebring-listen";
inline constexpr std::string_view kTcpUpgrade = "sebring-tcp";

inline constexpr std::size_t kFrameHeadBytes = 5;
inline constexpr std::size_t kFrameBytesMax = 256 * 1024;

enum class FrameType : char {
  // to the sandbox
  run = 'R',    // JSON, first and once: {"command"?: text for the shell, "subsystem"?: "sftp",
                //   "pty"?: {"term","cols","rows"}, "env"?: {name: value}}; without command and subsystem a login shell
  input = 'I',  // standard input
  end = 'F',    // of standard input
  window = 'W',  // "COLS ROWS"
  signal = 'S',  // name without SIG: "TERM"
  // from it
  started = 'A',
  output = 'O',
  error_output = 'X',
  failed = 'E',  // text: it could not be started; nothing follows
  ended = 'Q',   // JSON, last: {"code": 0, "signal"?: "TERM"}
};

inline std::string frame_head(FrameType type, std::size_t length) {
  std::string head(kFrameHeadBytes, '\0');
  head[0] = static_cast<char>(type);
  for (std::size_t i = 0; i < 4; ++i) head[1 + i] = static_cast<char>(length >> (24 - 8 * i));
  return head;
}

struct FrameHead {
  FrameType type;
  std::size_t length;
};
// `bytes` holds at least kFrameHeadBytes.
inline FrameHead parse_frame_head(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < kFrameHeadBytes; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return {static_cast<FrameType>(bytes[0]), length};
}

}  // namespace sebring::toolbox
