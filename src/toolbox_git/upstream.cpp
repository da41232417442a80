#include "toolbox_git/upstream.h"

#include "toolbox_git/configuration.h"
#include "toolbox_git/git_error.h"

namespace sebring::toolbox_git {
namespace {

// The branch of the same name as it was last seen on the remote.
Reference seen_on_remote(git_repository* repository, const std::string& branch) {
  auto remote = tracking_of(repository, branch).remote;
  if (remote.empty()) remote = "origin";
  Reference reference;
  const auto name = "refs/remotes/" + remote + "/" + branch;
  git_reference_lookup(out(reference), repository, name.c_str());
  return reference;
}

}  // namespace

Tracking tracking_of(git_repository* repository, const std::string& branch) {
  const auto config = configuration_of(repository);
  if (!config || branch.empty()) return {};
  Tracking tracking;
  tracking.remote = config_text(config->get(), ("branch." + branch + ".remote").c_str()).value_or("");
  if (tracking.remote == ".") tracking.remote.clear();  // follows a local branch
  auto merge = config_text(config->get(), ("branch." + branch + ".merge").c_str()).value_or("");
  if (!tracking.remote.empty() && merge.starts_with("refs/heads/")) tracking.branch = merge.substr(11);
  return tracking;
}

Result<Upstream> upstream_of(git_repository* repository, const std::string& branch) {
  Upstream upstream;
  Reference local;
  if (branch.empty() || git_branch_lookup(out(local), repository, branch.c_str(), GIT_BRANCH_LOCAL) != 0)
    return upstream;
  Reference remote;
  if (git_branch_upstream(out(remote), local.get()) == 0) {
    upstream.name = git_reference_shorthand(remote.get());
  } else {
    remote = seen_on_remote(repository, branch);
  }
  if (!remote) return upstream;
  upstream.published = true;
  const git_oid* here = git_reference_target(local.get());
  Reference resolved;
  GIT_CHECK(git_reference_resolve(out(resolved), remote.get()), "read the upstream branch");
  const git_oid* there = git_reference_target(resolved.get());
  if (here && there)
    GIT_CHECK(git_graph_ahead_behind(&upstream.ahead, &upstream.behind, repository, here, there),
              "compare with the upstream branch");
  return upstream;
}

}  // namespace sebring::toolbox_git
