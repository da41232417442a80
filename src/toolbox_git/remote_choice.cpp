#include "toolbox_git/remote_choice.h"

#include "toolbox_git/git_error.h"
#include "toolbox_git/upstream.h"

namespace sebring::toolbox_git {

Result<Remote> choose_remote(git_repository* repository, const std::string& name, const std::string& branch) {
  auto chosen = name.empty() ? tracking_of(repository, branch).remote : name;
  if (chosen.empty()) chosen = "origin";
  Remote remote;
  const int rc = git_remote_lookup(out(remote), repository, chosen.c_str());
  if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC) return fail(Errc::not_found, "remote '" + chosen + "' not found");
  GIT_CHECK(rc, "find remote " + chosen);
  return remote;
}

}  // namespace sebring::toolbox_git
