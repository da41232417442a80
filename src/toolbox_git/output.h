#pragma once
// Everything the helper says, in order: events, then after `done` the body.
#include <chrono>
#include <string>
#include <string_view>

#include "toolbox_git/protocol.h"

namespace sebring::toolbox_git {

class Output {
 public:
  // `fd` is borrowed.
  explicit Output(int fd) : fd_(fd) {}

  void target(const TargetEvent& event) { line(event); }
  // At most a few a second are written; the others are dropped.
  void progress(std::string_view step, std::int64_t done, std::int64_t total, std::int64_t bytes);
  void error(const Error& error);
  // From here on only body().
  void done() { line(DoneEvent{}); }
  bool is_done() const { return done_; }
  void body(std::string_view bytes);
  // Must be called last. False when the reader has gone away.
  bool flush();

 private:
  void line(const Event& event);

  int fd_;
  bool done_ = false;
  bool broken_ = false;
  std::string pending_;
  std::chrono::steady_clock::time_point last_progress_;
};

}  // namespace sebring::toolbox_git
