#pragma once
// What a session's shell does at this moment, seen from outside, for a shell that does not tell.
#include <sys/types.h>

#include <optional>
#include <string>

#include "toolbox/context.h"

namespace sebring::toolbox {

class ShellLook {
 public:
  // Of a process of `user` that has just been executed as `path` without arguments. `input`: what it reads commands
  // from.
  static std::optional<ShellLook> at(pid_t pid, const Identity& user, std::string path, int input);

  // Whether it is blocked in a read of that input. False too when the kernel does not let us know.
  bool waits_for_input() const;
  // Whether it executed another program than a shell that reads commands. The caller knows that the process is there.
  bool replaced() const;
  // Whether a signal has stopped it (SIGSTOP); a debugger does not count.
  bool stopped() const;

 private:
  ShellLook() = default;
  pid_t pid_ = -1;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  bool is_program_ = false;  // what was executed is no script, whose interpreter would execute the shell later
};

}  // namespace sebring::toolbox
