#include "toolbox/session.h"
#include "toolbox/utf8_pieces.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kShortenedBytes = 4 * 1024;

}  // namespace

void Command::finish(int exit_code) {
  if (exit_code_) return;
  log_->end_lines();
  exit_code_ = exit_code;
  finished_at_ = Steady::now();
  log_->grown().notify();
}

void Command::end_output() {
  if (output_ended_) return;
  log_->finish();
  output_ended_ = true;
  log_->grown().notify();
}

void Command::give_up(Error why) {
  if (exit_code_) return;
  log_->add(OutputStream::err, "[" + why.message() + "]\n");
  failure_ = std::move(why);
  finish(1);
  end_output();
}

void Command::shorten() {
  if (text_.size() <= 2 * kShortenedBytes) return;
  disk_->command_bytes -= bytes();
  const std::string length = std::to_string(text_.size());
  text_.resize(kShortenedBytes);
  text_.resize(kShortenedBytes - unfinished_utf8(text_));
  text_ += "... [" + length + " bytes in all]";
  text_.shrink_to_fit();
  disk_->command_bytes += bytes();
}

Result<std::shared_ptr<Command>> Session::find(std::string_view command_id) const {
  // The latest first: that is the one asked for.
  for (auto it = commands_.rbegin(); it != commands_.rend(); ++it) {
    if ((*it)->id() == command_id) return *it;
  }
  return fail(Errc::not_found, "command not found");
}

}  // namespace sebring::toolbox
