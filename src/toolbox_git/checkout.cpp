#include <algorithm>

#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace {

bool exists(git_repository* repository, const std::string& reference) {
  git_oid id;
  return git_reference_name_to_id(&id, repository, reference.c_str()) == 0;
}

// Remotes on which the branch was seen.
std::vector<std::string> remotes_with(git_repository* repository, const std::string& branch) {
  std::vector<std::string> found;
  git_strarray names{};
  if (git_remote_list(&names, repository) != 0) return found;
  for (std::size_t i = 0; i < names.count; ++i)
    if (exists(repository, "refs/remotes/" + std::string(names.strings[i]) + "/" + branch))
      found.emplace_back(names.strings[i]);
  git_strarray_dispose(&names);
  return found;
}

// A local branch that follows the remote's, as git makes one when a name is known from one remote only.
Result<void> make_tracking_branch(git_repository* repository, const std::string& remote, const std::string& branch) {
  const std::string there = remote + "/" + branch;
  SB_TRY(auto commit, find_commit(repository, "refs/remotes/" + there));
  Reference made;
  GIT_CHECK(git_branch_create(out(made), repository, branch.c_str(), commit.get(), 0), "create branch " + branch);
  GIT_CHECK(git_branch_set_upstream(made.get(), there.c_str()), "follow " + there);
  return {};
}

bool looks_like_hash(const std::string& text) {
  return text.size() >= 4 && text.size() <= 40 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
         });
}

}  // namespace

Result<std::string> perform(const Checkout& request, Tools& tools) {
  SB_TRY(auto repository, open_with_worktree(request.path));
  const auto& target = request.target;
  SB_TRY(const auto current, current_branch(repository.get()));
  SB_TRY(auto head, head_commit(repository.get()));
  if (!head && current == target) return "";  // a branch before its first commit
  if (exists(repository.get(), "refs/heads/" + target)) {
    SB_CHECK(switch_to_branch(repository.get(), target, tools.output));
    return "";
  }
  const auto remotes = remotes_with(repository.get(), target);
  if (remotes.size() == 1) {
    SB_CHECK(make_tracking_branch(repository.get(), remotes.front(), target));
    auto switched = switch_to_branch(repository.get(), target, tools.output);
    if (!switched) {
      Reference made;  // a failed switch leaves no branch behind
      if (git_branch_lookup(out(made), repository.get(), target.c_str(), GIT_BRANCH_LOCAL) == 0)
        git_branch_delete(made.get());
      return std::unexpected(std::move(switched).error());
    }
    return "";
  }
  const bool tag = exists(repository.get(), "refs/tags/" + target);
  auto commit = find_commit(repository.get(), tag ? "refs/tags/" + target : target);
  if (!commit) {
    if (commit.error().code() != Errc::not_found) return std::unexpected(std::move(commit).error());
    const std::string what = looks_like_hash(target) ? "branch or commit" : "branch";
    return fail(Errc::not_found, what + " '" + target + "' not found", kBranchNotFound);
  }
  SB_CHECK(switch_to_commit(repository.get(), commit->get(), tools.output));
  return "";
}

}  // namespace sebring::toolbox_git
