#include "users.h"

#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>

#include <optional>
#include <vector>

extern char** environ;

namespace sebring {
namespace {

Result<std::optional<SystemUser>> look_up(const std::string& name) {
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (int code = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found); code != 0)
    return fail_errno(code, "look up user " + name);
  if (!found) return std::optional<SystemUser>();
  return std::optional(SystemUser{name, found->pw_uid, found->pw_gid});
}

Result<void> make(const std::string& name) {
  const char* arguments[] = {"useradd",      "--system", "--user-group",      "--no-create-home", "--home-dir",
                             "/nonexistent", "--shell",  "/usr/sbin/nologin", name.c_str(),       nullptr};
  pid_t child = 0;
  for (const char* path : {"/usr/sbin/useradd", "/sbin/useradd"}) {
    int code = ::posix_spawn(&child, path, nullptr, nullptr, const_cast<char**>(arguments), environ);
    if (code != 0) continue;
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(Errc::internal, "useradd " + name + " failed");
  }
  return fail(Errc::not_found,
              "there is no user " + name + " and no useradd to make it: make a system user by that name");
}

}  // namespace

Result<SystemUser> ensure_user(const std::string& name) {
  SB_TRY(auto user, look_up(name));
  if (!user) {
    // Two servers may start at the same moment: only the look-up afterwards counts.
    auto made = make(name);
    SB_TRY(user, look_up(name));
    if (!user) return made ? fail(Errc::internal, "user " + name + " is not there after useradd") : fail(made.error());
  }
  if (user->uid == 0 || user->gid == 0)
    return fail(Errc::invalid_argument, "user " + name + " is root; a user without privileges is needed");
  return *std::move(user);
}

}  // namespace sebring
