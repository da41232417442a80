#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox_git/branch_names.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;

Result<void> check_branch_name(const std::string& name) {
  int valid = 0;
  GIT_CHECK(git_branch_name_is_valid(&valid, name.c_str()), "check the branch name");
  if (!valid) return fail(Errc::invalid_argument, "'" + name + "' is not a valid branch name");
  return {};
}

Result<std::string> perform(const ListBranches& request, Tools&) {
  SB_TRY(auto repository, open_repository(request.path));
  BranchIterator iterator;
  GIT_CHECK(git_branch_iterator_new(out(iterator), repository.get(), GIT_BRANCH_LOCAL), "list branches");
  std::vector<std::string> names;
  while (true) {
    Reference branch;
    git_branch_t type;
    const int rc = git_branch_next(out(branch), &type, iterator.get());
    if (rc == GIT_ITEROVER) break;
    GIT_CHECK(rc, "list branches");
    names.push_back(to_valid_utf8(git_reference_shorthand(branch.get())));
  }
  std::ranges::sort(names);
  SB_TRY(const auto current, current_branch(repository.get()));
  return json::serialize(
      bj::object{{"branches", bj::array(names.begin(), names.end())}, {"current", to_valid_utf8(current)}});
}

// Creates it at HEAD and makes it the current one; the working tree and the index stay as they are.
Result<std::string> perform(const CreateBranch& request, Tools&) {
  SB_TRY(auto repository, open_repository(request.path));
  SB_CHECK(check_branch_name(request.name));
  const std::string reference = "refs/heads/" + request.name;
  SB_TRY(auto head, head_commit(repository.get()));
  Reference branch;
  if (git_branch_lookup(out(branch), repository.get(), request.name.c_str(), GIT_BRANCH_LOCAL) == 0)
    return fail(Errc::conflict, "branch '" + request.name + "' exists already", kBranchExists);
  if (head) {
    const int rc = git_branch_create(out(branch), repository.get(), request.name.c_str(), head.get(), 0);
    if (rc == GIT_EEXISTS) return fail(Errc::conflict, "branch '" + request.name + "' exists already", kBranchExists);
    GIT_CHECK(rc, "create branch " + request.name);
  }
  GIT_CHECK(git_repository_set_head(repository.get(), reference.c_str()), "set HEAD to " + request.name);
  return "";
}

Result<std::string> perform(const DeleteBranch& request, Tools&) {
  SB_TRY(auto repository, open_repository(request.path));
  Reference branch;
  const int rc = git_branch_lookup(out(branch), repository.get(), request.name.c_str(), GIT_BRANCH_LOCAL);
  if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC)
    return fail(Errc::not_found, "branch '" + request.name + "' not found", kBranchNotFound);
  GIT_CHECK(rc, "find branch " + request.name);
  if (git_branch_is_checked_out(branch.get()) == 1)
    return fail(Errc::conflict, "branch '" + request.name + "' is checked out; switch to another one first");
  GIT_CHECK(git_branch_delete(branch.get()), "delete branch " + request.name);
  return "";
}

}  // namespace sebring::toolbox_git
