#pragma once
// File system calls of this thread with the rights of the sandbox's user.
#include <sys/types.h>

#include <cstdint>

#include "toolbox/context.h"

namespace sebring::toolbox {

// While it lives, this thread opens, makes and removes files as that user; others are not touched. No co_await in its
// life. When the daemon is not root it changes nothing. Signals and processes are not affected.
class AsUser {
 public:
  AsUser(uid_t uid, gid_t gid);
  explicit AsUser(const Identity& user) : AsUser(user.uid, user.gid) {}
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  int old_uid_ = -1;
  int old_gid_ = -1;
  std::uint32_t dropped_ = 0;  // capabilities
};

}  // namespace sebring::toolbox
