#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "slot/parts.h"

namespace sebring::slot {
namespace {

constexpr int kKeptCapabilities[] = {CAP_CHOWN,   CAP_DAC_OVERRIDE,     CAP_FOWNER,     CAP_FSETID, CAP_KILL,
                                     CAP_MKNOD,   CAP_NET_BIND_SERVICE, CAP_SETFCAP,    CAP_SETGID, CAP_SETUID,
                                     CAP_SETPCAP, CAP_SYS_CHROOT,       CAP_AUDIT_WRITE};

// NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWTIME.
constexpr std::uint32_t kNamespaceFlags = 0x7E020080;

using Code = std::vector<sock_filter>;

sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
// The kernel reads these arguments as 32 bits, so the lower half decides.
sock_filter load_argument(int number) {
  return load(offsetof(seccomp_data, args) + sizeof(std::uint64_t) * static_cast<unsigned>(number));
}
sock_filter allow() { return BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW); }
sock_filter refuse(int error) {
  return BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
}

// "If the loaded value is one of `values`, `verdict`", falling through otherwise.
void one_of(Code& code, std::initializer_list<std::uint32_t> values, sock_filter verdict) {
  for (auto value : values) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    code.push_back(verdict);
  }
}

// A system call with its own judgement; `body` ends in a verdict.
void judge(Code& code, int number, const Code& body) {
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0,
                          static_cast<std::uint8_t>(body.size())));
  code.insert(code.end(), body.begin(), body.end());
}

Code judge_ioctl() {
  constexpr std::uint32_t kTiocsti = 0x5412, kTioclinux = 0x541C;
  constexpr std::uint32_t kClone = 0x40049409, kCloneRange = 0x4020940d, kDedupeRange = 0xc0189436;
  Code code{load_argument(1)};
  one_of(code, {kTiocsti, kTioclinux}, refuse(EPERM));
  one_of(code, {kClone, kCloneRange, kDedupeRange}, allow());
  // The rest of btrfs: subvolumes made by users escape their limit.
  code.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff00));
  one_of(code, {0x9400}, refuse(ENOTTY));
  code.push_back(allow());
  return code;
}

Code judge_flags(std::uint32_t forbidden) {
  return {load_argument(0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, forbidden, 0, 1), refuse(EPERM), allow()};
}

Code judge_socket() {
  constexpr std::uint32_t kRoute = 0, kInetDiag = 4, kGeneric = 16;
  Code code{load_argument(0)};
  one_of(code, {AF_UNIX, AF_INET, AF_INET6}, allow());
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 1, 0));
  code.push_back(refuse(EAFNOSUPPORT));
  code.push_back(load_argument(2));
  one_of(code, {kRoute, kInetDiag, kGeneric}, allow());
  code.push_back(refuse(EPROTONOSUPPORT));
  return code;
}

Code judge_personality() {
  Code code{load_argument(0)};
  one_of(code, {0, 8, 0x20000, 0x20008, 0xffffffff}, allow());
  code.push_back(refuse(EPERM));
  return code;
}

// The large filter, a list of allowed numbers, is inherited from the runner's thread and still allows what setting up
// needed. This one takes that back and looks at arguments. Of two answers the stricter holds; of two errors this one's.
Code second_filter() {
  Code code{load(offsetof(seccomp_data, nr))};
  for (int number : {SYS_mount, SYS_umount2, SYS_pivot_root, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig,
                     SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_setns, SYS_sethostname, SYS_setdomainname})
    judge(code, number, {refuse(EPERM)});
  judge(code, SYS_ioctl, judge_ioctl());
  judge(code, SYS_socket, judge_socket());
  judge(code, SYS_clone, judge_flags(kNamespaceFlags));
  judge(code, SYS_unshare, judge_flags(kNamespaceFlags));
  judge(code, SYS_personality, judge_personality());
  code.push_back(allow());
  return code;
}

}  // namespace

Result<void> drop_bounding_set() {
  std::uint64_t kept = 0;
  for (int capability : kKeptCapabilities) kept |= std::uint64_t{1} << capability;
  for (int capability = 0; capability < 64; ++capability) {
    if (kept >> capability & 1) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL && capability > CAP_CHECKPOINT_RESTORE) return {};  // this kernel has no more
    return fail_errno(errno, "drop capability " + std::to_string(capability));
  }
  return {};
}

Result<void> drop_privileges() {
  Code code = second_filter();
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
    return fail_errno(errno, "load the second system call filter");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  for (int capability : kKeptCapabilities) sets[capability / 32].permitted |= 1u << capability % 32;
  for (auto& set : sets) set.effective = set.permitted;
  if (::syscall(SYS_capset, &header, sets) < 0) return fail_errno(errno, "drop capabilities");
  // A change of credentials may have set it to fs.suid_dumpable.
  if (::prctl(PR_SET_DUMPABLE, 0) < 0) return fail_errno(errno, "forbid dumps");
  return {};
}

}  // namespace sebring::slot
