#pragma once
// System users that the server runs its roles as.
#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace sebring {

struct SystemUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};
// Makes the user (no home, no shell, its own group) when it is missing. Never root: Errc::invalid_argument.
Result<SystemUser> ensure_user(const std::string& name);

}  // namespace sebring
