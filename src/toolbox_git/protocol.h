#pragma once
// What the helper writes to stdout: lines of JSON, one event each. After `done` come the bytes of the answer's body
// until the end of the pipe, so that a long list is never held as a whole. Anything else (end without `done` or
// `error`) means that the helper was killed or crashed.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace sebring::toolbox_git {

// A clone is about to fill `path`; whoever kills the helper must remove it (with `existed` only what lies in it).
struct TargetEvent {
  std::string path;
  bool existed = false;
};
// Something moved. Numbers are those of the current step: "receive", "resolve", "checkout", "send".
struct ProgressEvent {
  std::string step;
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::int64_t bytes = 0;
};
struct ErrorEvent {
  Error error;
};
struct DoneEvent {};
using Event = std::variant<TargetEvent, ProgressEvent, ErrorEvent, DoneEvent>;

// One line without the line feed.
std::string encode(const Event& event);
// Errc::internal for anything that encode() does not make.
Result<Event> decode(std::string_view line);

}  // namespace sebring::toolbox_git
