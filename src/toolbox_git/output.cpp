#include "toolbox_git/output.h"

#include <unistd.h>

#include <cerrno>

namespace sebring::toolbox_git {
namespace {

constexpr std::size_t kPendingMax = 64 * 1024;
constexpr std::chrono::milliseconds kProgressPause{250};

}  // namespace

void Output::progress(std::string_view step, std::int64_t done, std::int64_t total, std::int64_t bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (done_ || now - last_progress_ < kProgressPause) return;
  last_progress_ = now;
  line(ProgressEvent{std::string(step), done, total, bytes});
}

void Output::error(const Error& error) {
  if (done_) {
    broken_ = true;  // the head of the answer is out: all that is left is to end without the rest
    return;
  }
  line(ErrorEvent{error});
}

void Output::line(const Event& event) {
  pending_ += encode(event);
  pending_ += '\n';
  done_ = done_ || std::holds_alternative<DoneEvent>(event);
  flush();
}

void Output::body(std::string_view bytes) {
  pending_ += bytes;
  if (pending_.size() >= kPendingMax) flush();
}

bool Output::flush() {
  std::string_view rest = pending_;
  while (!rest.empty() && !broken_) {
    const auto written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  pending_.clear();
  return !broken_;
}

}  // namespace sebring::toolbox_git
