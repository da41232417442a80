#include "toolbox/as_user.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sebring::toolbox {
namespace {

constexpr std::uint32_t kFileCapabilities =
    1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER | 1u << CAP_FSETID;

// Takes `mask` out of this thread's effective set, or puts it back; answers what was there of it.
std::uint32_t change_capabilities(std::uint32_t mask, bool on) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2]{};
  SB_ASSERT(::syscall(SYS_capget, &header, data) == 0);
  const std::uint32_t had = data[0].effective & mask;
  data[0].effective = on ? data[0].effective | mask : data[0].effective & ~mask;
  SB_ASSERT(::syscall(SYS_capset, &header, data) == 0);
  return had;
}

}  // namespace

// Raw calls: the file system ids belong to a thread, and libc has no business with them. The kernel answers the old id,
// and takes root's capabilities over files away when the id leaves 0; not, though, from a process whose starter has
// asked for that not to happen, so then we do. An id that could not be taken over would mean root's rights for the
// user's path, hence the check.
AsUser::AsUser(uid_t uid, gid_t gid) {
  if (::geteuid() != 0) return;
  old_gid_ = static_cast<int>(::syscall(SYS_setfsgid, gid));
  old_uid_ = static_cast<int>(::syscall(SYS_setfsuid, uid));
  SB_ASSERT(::syscall(SYS_setfsuid, static_cast<uid_t>(-1)) == static_cast<long>(uid));
  if (uid != 0 && (::prctl(PR_GET_SECUREBITS) & SECBIT_NO_SETUID_FIXUP) != 0) {
    dropped_ = change_capabilities(kFileCapabilities, false);
  }
}

AsUser::~AsUser() {
  if (old_uid_ < 0) return;
  if (dropped_ != 0) change_capabilities(dropped_, true);
  ::syscall(SYS_setfsuid, old_uid_);
  ::syscall(SYS_setfsgid, old_gid_);
}

}  // namespace sebring::toolbox
