#include "role_process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace sebring {
namespace {

Result<UniqueFd> settings_file(const std::string& text) {
  UniqueFd fd(::memfd_create("sebring-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno(errno, "memfd for settings");
  if (::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, "write settings");
  ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return fd;
}

// Everything that the child needs, prepared before fork: between fork and exec only system calls.
struct Prepared {
  std::vector<int> from;  // copies above all target numbers
  std::vector<UniqueFd> owned;
  std::vector<char*> arguments;
  pid_t parent = 0;
  bool drop = false;
  uid_t uid = 0;
  gid_t gid = 0;
};

bool drop_privileges(const Prepared& prepared) {
  for (int capability = 0; capability <= 63; ++capability)
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EPERM) return false;
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, prepared.gid, prepared.gid, prepared.gid) == 0 &&
         ::syscall(SYS_setresuid, prepared.uid, prepared.uid, prepared.uid) == 0 &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

[[noreturn]] void become_role(const Prepared& prepared) {
  ::setpgid(0, 0);
  for (std::size_t i = 0; i < prepared.from.size(); ++i)
    if (::dup2(prepared.from[i], kSettingsFd + static_cast<int>(i)) < 0) ::_exit(126);
  ::syscall(SYS_close_range, kSettingsFd + prepared.from.size(), ~0U, 0);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(prepared.drop ? 0077 : 0022);
  if (prepared.drop && !drop_privileges(prepared)) ::_exit(126);
  // After the change of ids, which clears it. The parent may have died before: then nobody would tell us.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != prepared.parent) ::_exit(126);
  static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  ::execve("/proc/self/exe", prepared.arguments.data(), environment);
  ::_exit(127);
}

}  // namespace

Result<pid_t> start_role(const RoleSpec& spec) {
  SB_TRY(UniqueFd settings, settings_file(spec.settings));
  Prepared prepared;
  std::vector<int> wanted = {settings.get()};
  std::string names = "--sockets=";
  for (const auto& [socket_name, fd] : spec.sockets) {
    wanted.push_back(fd);
    names += socket_name + ",";
  }
  for (int fd : wanted) {
    // Above all targets, or a dup2 could hit a source that is still needed.
    UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
    if (!copy) return fail_errno(errno, "copy a descriptor for " + spec.name);
    prepared.from.push_back(copy.get());
    prepared.owned.push_back(std::move(copy));
  }
  std::string program = "sebring", name = spec.name, flag = "--instance", instance = spec.instance;
  prepared.arguments = {program.data(), name.data(), flag.data(), instance.data(), names.data(), nullptr};
  prepared.parent = ::getpid();
  if (spec.user) {
    prepared.drop = true;
    prepared.uid = spec.user->uid;
    prepared.gid = spec.user->gid;
  }
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "start " + spec.name);
  if (child == 0) become_role(prepared);
  return child;
}

}  // namespace sebring
