#include "runtime/system_calls.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "base/unique_fd.h"
#include "os/file.h"

namespace sebring::runtime {
namespace {

// Names, so that one list serves every architecture; those that one lacks are skipped. Not here, and so refused:
// modules, kexec, reboot, swap, accounting, quotas, clocks, bpf, perf, userfaultfd, io_uring, keys, file handles,
// fanotify, page moving, process_madvise, syslog, vhangup, memory policy, clone3 (libc then falls back to clone, whose
// flags can be judged).
constexpr char kAllowed[] =
    "read write close fstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn ioctl pread64 "
    "pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise shmget shmat shmctl dup dup2 "
    "pause "
    "nanosleep getitimer alarm setitimer getpid sendfile socket connect accept sendto recvfrom sendmsg recvmsg "
    "shutdown bind "
    "listen getsockname getpeername socketpair setsockopt getsockopt clone fork vfork execve exit wait4 kill uname "
    "semget "
    "semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate ftruncate getdents getcwd "
    "chdir "
    "fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown lchown umask gettimeofday "
    "getrlimit getrusage sysinfo times ptrace getuid getgid setuid setgid geteuid getegid setpgid getppid getpgrp "
    "setsid "
    "setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid getpgid setfsuid setfsgid getsid "
    "capget "
    "capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod personality statfs "
    "fstatfs "
    "getpriority setpriority sched_setparam sched_getparam sched_setscheduler sched_getscheduler "
    "sched_get_priority_max "
    "sched_get_priority_min sched_rr_get_interval mlock munlock mlockall munlockall modify_ldt prctl arch_prctl "
    "setrlimit "
    "chroot sync gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr "
    "flistxattr "
    "removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity sched_getaffinity io_setup io_destroy "
    "io_getevents io_submit io_cancel epoll_create remap_file_pages getdents64 set_tid_address restart_syscall "
    "semtimedop "
    "fadvise64 timer_create timer_settime timer_gettime timer_getoverrun timer_delete clock_gettime clock_getres "
    "clock_nanosleep exit_group epoll_wait epoll_ctl tgkill utimes mq_open mq_unlink mq_timedsend mq_timedreceive "
    "mq_notify "
    "mq_getsetattr waitid ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch openat mkdirat mknodat "
    "fchownat futimesat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll "
    "set_robust_list get_robust_list splice tee sync_file_range vmsplice utimensat epoll_pwait signalfd timerfd_create "
    "eventfd fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 "
    "inotify_init1 "
    "preadv pwritev rt_tgsigqueueinfo recvmmsg prlimit64 name_to_handle_at syncfs sendmmsg getcpu process_vm_readv "
    "process_vm_writev kcmp sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create execveat membarrier "
    "mlock2 "
    "copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx io_pgetevents rseq pidfd_send_signal "
    "pidfd_open close_range openat2 pidfd_getfd faccessat2 epoll_pwait2 landlock_create_ruleset landlock_add_rule "
    "landlock_restrict_self memfd_secret futex_waitv cachestat fchmodat2 map_shadow_stack futex_wake futex_wait "
    "futex_requeue stat open lstat get_mempolicy get_thread_area set_thread_area unshare";

constexpr char kForSetUp[] =
    "mount umount2 pivot_root open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr setns sethostname "
    "setdomainname";

Result<void> allow(scmp_filter_ctx filter, std::string_view names) {
  for (auto name : split(names, ' ')) {
    int number = ::seccomp_syscall_resolve_name(std::string(name).c_str());
    if (number < 0) continue;  // this architecture, or this libseccomp, does not know it
    if (int error = ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0); error < 0)
      return fail_errno(-error, "allow system call " + std::string(name));
  }
  return {};
}

}  // namespace

Result<SystemCallFilter> SystemCallFilter::compile() {
  scmp_filter_ctx context = ::seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
  if (!context) return fail(Errc::internal, "make a system call filter");
  struct Release {
    scmp_filter_ctx context;
    ~Release() { ::seccomp_release(context); }
  } release{context};
  ::seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  // The 32-bit gate and x32: refused like an unknown number, not by killing the process.
  ::seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  SB_CHECK(allow(context, kAllowed));
  SB_CHECK(allow(context, kForSetUp));
  UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "make a memory file");
  if (int error = ::seccomp_export_bpf(context, file.get()); error < 0)
    return fail_errno(-error, "compile the system call filter");
  ::lseek(file.get(), 0, SEEK_SET);
  SB_TRY(auto bytes, os::read_all(file.get(), 1 << 20));
  SystemCallFilter filter;
  filter.code_.resize(bytes.size() / sizeof(sock_filter));
  bytes.copy(reinterpret_cast<char*>(filter.code_.data()), filter.code_.size() * sizeof(sock_filter));
  return filter;
}

Result<void> SystemCallFilter::load_into_this_thread() const {
  sock_fprog program{static_cast<unsigned short>(code_.size()), const_cast<sock_filter*>(code_.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
    return fail_errno(errno, "load the system call filter");
  return {};
}

}  // namespace sebring::runtime
