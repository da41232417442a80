#include "toolbox/as_user.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace sebring::toolbox {

// Raw calls: the file system ids belong to a thread, and libc has no business with them. The kernel answers the old id
// and drops the file capabilities of root when the id leaves 0. An id that could not be taken over would mean root's
// rights for the user's path, hence the check.
AsUser::AsUser(uid_t uid, gid_t gid) {
  if (::geteuid() != 0) return;
  old_gid_ = static_cast<int>(::syscall(SYS_setfsgid, gid));
  old_uid_ = static_cast<int>(::syscall(SYS_setfsuid, uid));
  SB_ASSERT(::syscall(SYS_setfsuid, static_cast<uid_t>(-1)) == static_cast<long>(uid));
}

AsUser::~AsUser() {
  if (old_uid_ < 0) return;
  ::syscall(SYS_setfsuid, old_uid_);
  ::syscall(SYS_setfsgid, old_gid_);
}

}  // namespace sebring::toolbox
