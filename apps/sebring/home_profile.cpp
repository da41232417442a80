#include "home_profile.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "base/text.h"

namespace sebring {
namespace {

struct Person {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
};

Person who_started() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads
  const char* sudo = std::getenv("SUDO_UID");
  const uid_t uid = sudo ? static_cast<uid_t>(parse_integer(sudo).value_or(0)) : ::getuid();
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  Person out{uid, 0, ""};
  if (found) out = {uid, found->pw_gid, found->pw_dir};
  // NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads
  if (const char* home = std::getenv("HOME"); home && !sudo && *home == '/') out.home = home;
  struct stat status{};
  // A service has "/" or a directory that does not exist; nothing is written there.
  if (out.home.size() < 2 || ::stat(out.home.c_str(), &status) != 0 || status.st_uid != out.uid) out.home.clear();
  return out;
}

bool may_write(const std::string& path, const cli::Profile& profile) {
  auto known = cli::read_profile(path);
  if (!known) return known.error().code() == Errc::not_found;
  if (known->data_dir.empty()) return false;  // of a remote server
  return known->data_dir == profile.data_dir || ::access((known->data_dir + "/instance").c_str(), F_OK) != 0;
}

int write_as(const Person& person, const cli::Profile& profile) {
  if (person.uid != 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(person.gid, person.gid, person.gid) != 0 ||
                          ::setresuid(person.uid, person.uid, person.uid) != 0))
    return 1;
  const std::string path = cli::home_profile_path(person.home);
  if (!may_write(path, profile)) return 0;
  return cli::write_profile(path, profile, true) ? 0 : 1;
}

}  // namespace

Result<void> write_home_profile(const cli::Profile& profile) {
  const Person person = who_started();
  if (person.home.empty()) return {};
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) ::_exit(write_as(person, profile));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Errc::internal, "could not write " + cli::home_profile_path(person.home));
}

}  // namespace sebring
