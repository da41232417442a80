#include "toolbox/session.h"

namespace sebring::toolbox {

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

Result<std::shared_ptr<Command>> Session::find(std::string_view command_id) const {
  // The latest first: that is the one asked for.
  for (auto it = commands_.rbegin(); it != commands_.rend(); ++it) {
    if ((*it)->id() == command_id) return *it;
  }
  return fail(Errc::not_found, "command not found");
}

}  // namespace sebring::toolbox
