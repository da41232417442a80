#include "image/importer_filter.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>

namespace sebring::image {
namespace {

// Memory, the four descriptors, the end.
constexpr int kAlways[] = {SCMP_SYS(read),       SCMP_SYS(write),       SCMP_SYS(close),         SCMP_SYS(fstat),
                           SCMP_SYS(brk),        SCMP_SYS(munmap),      SCMP_SYS(mremap),        SCMP_SYS(madvise),
                           SCMP_SYS(exit_group), SCMP_SYS(exit),        SCMP_SYS(clock_gettime), SCMP_SYS(sendmsg),
                           SCMP_SYS(futex),      SCMP_SYS(rt_sigreturn)};
constexpr int kUnpack[] = {SCMP_SYS(openat),    SCMP_SYS(openat2),    SCMP_SYS(mkdirat),  SCMP_SYS(mknodat),
                           SCMP_SYS(symlinkat), SCMP_SYS(linkat),     SCMP_SYS(unlinkat), SCMP_SYS(renameat),
                           SCMP_SYS(renameat2), SCMP_SYS(newfstatat), SCMP_SYS(statx),    SCMP_SYS(fchown),
                           SCMP_SYS(fchownat),  SCMP_SYS(fchmod),     SCMP_SYS(fchmodat), SCMP_SYS(utimensat),
                           SCMP_SYS(fsetxattr), SCMP_SYS(ftruncate),  SCMP_SYS(pwrite64), SCMP_SYS(getdents64),
                           SCMP_SYS(recvmsg)};
constexpr int kPack[] = {SCMP_SYS(openat),     SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(flistxattr),
                         SCMP_SYS(fgetxattr),  SCMP_SYS(readlinkat), SCMP_SYS(lseek), SCMP_SYS(pread64),
                         SCMP_SYS(getdents64), SCMP_SYS(recvmsg)};

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};

int allow(scmp_filter_ctx context, std::span<const int> calls) {
  for (int call : calls)
    if (int error = seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0)) return error;
  return 0;
}

// Nothing new becomes code.
int allow_without_exec(scmp_filter_ctx context, int call) {
  return seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

int fill(scmp_filter_ctx context, ImporterRole role) {
  if (int error = allow(context, kAlways)) return error;
  if (int error = allow_without_exec(context, SCMP_SYS(mmap))) return error;
  if (int error = allow_without_exec(context, SCMP_SYS(mprotect))) return error;
  // What fdopendir does with a descriptor.
  for (int command : {F_GETFL, F_SETFD})
    if (int error = seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                     SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))))
      return error;
  if (role == ImporterRole::unpack) return allow(context, kUnpack);
  if (role == ImporterRole::pack) return allow(context, kPack);
  return 0;
}

}  // namespace

Result<void> restrict_system_calls(ImporterRole role) {
  std::unique_ptr<void, Release> context(seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!context) return fail(Errc::internal, "make a system call filter");
  if (int error = fill(context.get(), role)) return fail_errno(-error, "fill the system call filter");
  if (int error = seccomp_load(context.get())) return fail_errno(-error, "load the system call filter");
  return {};
}

}  // namespace sebring::image
