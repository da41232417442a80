#include "base/text.h"
#include "toolbox_git/branch_names.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/remote_choice.h"
#include "toolbox_git/remote_session.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace {

Result<std::string> branch_to_push(git_repository* repository, const std::string& wanted) {
  auto branch = wanted;
  if (branch.empty()) {
    SB_TRY(branch, current_branch(repository));
    if (branch.empty())
      return fail(Errc::not_found, "push: HEAD is detached, so a branch must be named", kBranchNotFound);
  }
  Reference reference;
  if (git_branch_lookup(out(reference), repository, branch.c_str(), GIT_BRANCH_LOCAL) != 0)
    return fail(Errc::not_found, "push: branch '" + branch + "' not found", kBranchNotFound);
  return branch;
}

// The server took the pack but may have refused the reference; only its text says why.
Result<void> judge_answer(const RemoteSession& session, const std::string& reference) {
  const auto found = session.push_results().find(reference);
  if (found == session.push_results().end() || found->second.empty()) return {};
  const auto& status = found->second;
  std::string message = "push of " + reference + " was rejected: " + to_valid_utf8(status);
  for (const char* word : {"non-fast-forward", "fetch first", "stale info", "failed to update ref", "cannot lock ref"})
    if (status.contains(word)) return fail(Errc::conflict, std::move(message), kPushRejected);
  if (const auto said = trim(session.remote_text()); !said.empty()) message += " (server: " + to_valid_utf8(said) + ")";
  return fail(Errc::unprocessable, std::move(message), kRemoteRejected);
}

Error push_failure(const RemoteSession& session, int rc) {
  auto error = session.failure(rc, "push to");
  if (rc == GIT_ENONFASTFORWARD) return Error(Errc::conflict, error.message() + "; pull first").tagged(kPushRejected);
  // The server answered, and the answer was no: it could not unpack, or its rules forbid the push.
  if (error.tag() == kTransportFailed && last_error().message.contains("unpack"))
    return Error(Errc::unprocessable, error.message()).tagged(kRemoteRejected);
  return error;
}

}  // namespace

Result<std::string> perform(const Push& request, Tools& tools) {
  SB_TRY(auto repository, open_repository(request.path));
  SB_TRY(const auto branch, branch_to_push(repository.get(), request.branch));
  SB_TRY(auto remote, choose_remote(repository.get(), request.remote, branch));
  const char* push_url = git_remote_pushurl(remote.get());
  SB_TRY(auto session,
         RemoteSession::open(repository.get(), tools.output, push_url ? push_url : git_remote_url(remote.get()),
                             {request.sign_in, false, tools.ca_file}));
  const std::string reference = "refs/heads/" + branch;
  const std::vector<std::string> specs{reference + ":" + reference};
  const auto options = session->push_options();
  const int rc = git_remote_push(remote.get(), &StringArray(specs).get(), &options);
  if (rc < 0) return std::unexpected(push_failure(*session, rc));
  SB_CHECK(judge_answer(*session, reference));
  if (request.set_upstream) {
    Reference local;
    GIT_CHECK(git_branch_lookup(out(local), repository.get(), branch.c_str(), GIT_BRANCH_LOCAL), "set the upstream");
    const auto upstream = std::string(git_remote_name(remote.get())) + "/" + branch;
    GIT_CHECK(git_branch_set_upstream(local.get(), upstream.c_str()), "set the upstream to " + upstream);
  }
  return "";
}

}  // namespace sebring::toolbox_git
