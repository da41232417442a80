#include <set>

#include "toolbox_git/commit.h"
#include "toolbox_git/configuration.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/in_the_way.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/remote_choice.h"
#include "toolbox_git/remote_session.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/upstream.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace {

// What is merged: a branch of a remote as it was just fetched.
struct Incoming {
  git_oid id{};
  std::string branch;
  std::string url;
};

struct FindBranch {
  std::string reference;
  Incoming* incoming;
  bool found = false;
};

int match_fetched(const char* reference, const char* url, const git_oid* id, unsigned, void* payload) {
  auto& search = *static_cast<FindBranch*>(payload);
  if (search.reference != reference) return 0;
  search.incoming->id = *id;
  search.incoming->url = without_password(url ? url : "");
  search.found = true;
  return 1;
}

Result<Incoming> fetch(git_repository* repository, git_remote* remote, const std::string& branch, const Pull& request,
                       Tools& tools) {
  SB_TRY(auto session, RemoteSession::open(repository, tools.output, git_remote_url(remote),
                                           {request.sign_in, false, tools.ca_file}));
  // The remote's own list also updates all its other branches; the explicit one makes sure of this branch.
  const std::vector<std::string> specs{"+refs/heads/" + branch + ":refs/remotes/" + git_remote_name(remote) + "/" +
                                       branch};
  auto options = session->fetch_options();
  int rc = git_remote_fetch(remote, nullptr, &options, "pull");
  if (rc < 0) return std::unexpected(session->failure(rc, "pull from"));
  Incoming incoming{{}, branch, ""};
  FindBranch search{"refs/heads/" + branch, &incoming};
  rc = git_repository_fetchhead_foreach(repository, match_fetched, &search);
  if (!search.found) {
    rc = git_remote_fetch(remote, &StringArray(specs).get(), &options, "pull");
    if (rc < 0) return std::unexpected(session->failure(rc, "pull from"));
    git_repository_fetchhead_foreach(repository, match_fetched, &search);
  }
  if (!search.found)
    return fail(Errc::not_found, "pull: branch '" + branch + "' not found on " + git_remote_name(remote),
                kBranchNotFound);
  return incoming;
}

Result<void> fast_forward(git_repository* repository, const Incoming& incoming, const std::string& current,
                          Output& output) {
  Object target;
  GIT_CHECK(git_object_lookup(out(target), repository, &incoming.id, GIT_OBJECT_COMMIT), "find what was fetched");
  SB_CHECK(checkout(repository, target.get(), {}, output, "pull"));
  if (current.empty()) {
    GIT_CHECK(git_repository_set_head_detached(repository, &incoming.id), "move HEAD");
    return {};
  }
  Reference moved;
  GIT_CHECK(git_reference_create(out(moved), repository, ("refs/heads/" + current).c_str(), &incoming.id, 1,
                                 "pull: fast-forward"),
            "move " + current);
  return {};
}

Result<Signature> committer(git_repository* repository) {
  Signature signature;
  const int rc = git_signature_default(out(signature), repository);
  if (rc == GIT_ENOTFOUND)
    return fail(
        Errc::invalid_argument,
        "pull: the branches have diverged and a merge commit needs an author: set user.name and user.email in the "
        "git configuration");
  GIT_CHECK(rc, "read user.name and user.email");
  return signature;
}

Result<Tree> tree_of(git_repository* repository, const git_oid& id) {
  CommitHandle commit;
  GIT_CHECK(git_commit_lookup(out(commit), repository, &id), "find a commit of the merge");
  Tree tree;
  GIT_CHECK(git_commit_tree(out(tree), commit.get()), "read a commit of the merge");
  return tree;
}

int collect_path(const git_diff_delta* delta, float, void* payload) {
  if (delta->status != GIT_DELTA_DELETED) static_cast<std::set<std::string>*>(payload)->insert(delta->new_file.path);
  return 0;
}

// libgit2 leaves files out of a merge without a word when something untracked stands in the place of their directory,
// and overwrites untracked ones in directories that it does not know.
Result<void> refuse_what_is_in_the_way(git_repository* repository, const git_oid& theirs) {
  SB_TRY(const auto head, head_commit(repository));
  git_oid base;
  Tree before;
  if (git_merge_base(&base, repository, git_commit_id(head.get()), &theirs) == 0) {
    SB_TRY(before, tree_of(repository, base));
  }
  SB_TRY(const auto after, tree_of(repository, theirs));
  Diff diff;
  GIT_CHECK(git_diff_tree_to_tree(out(diff), repository, before.get(), after.get(), nullptr), "compare the branches");
  std::set<std::string> coming;
  GIT_CHECK(git_diff_foreach(diff.get(), collect_path, nullptr, nullptr, nullptr, &coming), "compare the branches");
  SB_TRY(const auto found, untracked_in_the_way(repository, coming));
  if (found.empty()) return {};
  return fail(Errc::conflict, "pull: untracked files would be overwritten: " + list_some(found), kDirtyWorktree);
}

Result<void> merge(git_repository* repository, const git_annotated_commit* theirs, const Incoming& incoming) {
  SB_TRY(auto signature, committer(repository));
  SB_CHECK(refuse_what_is_in_the_way(repository, incoming.id));
  git_merge_options merge_options = GIT_MERGE_OPTIONS_INIT;
  git_checkout_options checkout_options = GIT_CHECKOUT_OPTIONS_INIT;
  checkout_options.checkout_strategy = GIT_CHECKOUT_SAFE | GIT_CHECKOUT_ALLOW_CONFLICTS;
  const int rc = git_merge(repository, &theirs, 1, &merge_options, &checkout_options);
  if (rc < 0) {
    auto error = git_failure(rc, "pull: merge " + incoming.branch);
    git_repository_state_cleanup(repository);
    return std::unexpected(std::move(error));
  }
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository), "open the index");
  if (const auto files = conflicted_files(index.get()); !files.empty())
    return fail(Errc::conflict,
                "pull: merge conflict in " + list_some(files) +
                    "; resolve it, add the files and commit, or reset with mode merge",
                kMergeConflict);
  const auto message = "Merge branch '" + incoming.branch + "' of " + incoming.url + "\n";
  SB_CHECK(commit_index(repository, index.get(), signature.get(), message, true));
  return {};
}

// libgit2 knows merge.ff only; for pulls pull.ff comes first.
void apply_pull_setting(git_repository* repository, git_merge_preference_t& preference) {
  const auto config = configuration_of(repository);
  if (!config) return;
  if (config_text(config->get(), "pull.ff") == std::optional<std::string>("only")) {
    preference = GIT_MERGE_PREFERENCE_FASTFORWARD_ONLY;
  } else if (const auto allowed = config_boolean(config->get(), "pull.ff")) {
    preference = *allowed ? GIT_MERGE_PREFERENCE_NONE : GIT_MERGE_PREFERENCE_NO_FASTFORWARD;
  }
}

Result<void> integrate(git_repository* repository, const Incoming& incoming, const std::string& current,
                       Output& output) {
  Annotated theirs;
  GIT_CHECK(git_annotated_commit_from_fetchhead(out(theirs), repository, incoming.branch.c_str(), incoming.url.c_str(),
                                                &incoming.id),
            "find what was fetched");
  const git_annotated_commit* list = theirs.get();
  git_merge_analysis_t analysis;
  git_merge_preference_t preference;
  GIT_CHECK(git_merge_analysis(&analysis, &preference, repository, &list, 1), "compare the branches");
  if (analysis & GIT_MERGE_ANALYSIS_UP_TO_DATE) return {};
  apply_pull_setting(repository, preference);
  const bool can_forward = analysis & (GIT_MERGE_ANALYSIS_FASTFORWARD | GIT_MERGE_ANALYSIS_UNBORN);
  if (can_forward && !(preference & GIT_MERGE_PREFERENCE_NO_FASTFORWARD))
    return fast_forward(repository, incoming, current, output);
  if (preference & GIT_MERGE_PREFERENCE_FASTFORWARD_ONLY)
    return fail(Errc::conflict, "pull: the branches have diverged, and the git configuration allows fast-forward only");
  return merge(repository, list, incoming);
}

}  // namespace

Result<std::string> perform(const Pull& request, Tools& tools) {
  SB_TRY(auto repository, open_with_worktree(request.path));
  SB_TRY(const auto current, current_branch(repository.get()));
  if (git_repository_state(repository.get()) != GIT_REPOSITORY_STATE_NONE)
    return fail(Errc::conflict, "pull: a merge is under way; commit it, or reset with mode merge", kMergeConflict);
  SB_TRY(auto remote, choose_remote(repository.get(), request.remote, current));
  auto branch = request.branch;
  const auto tracking = tracking_of(repository.get(), current);
  if (branch.empty() && tracking.remote == git_remote_name(remote.get())) branch = tracking.branch;
  if (branch.empty()) branch = current;
  if (branch.empty())
    return fail(Errc::not_found, "pull: HEAD is detached, so a branch must be named", kBranchNotFound);
  SB_TRY(const auto incoming, fetch(repository.get(), remote.get(), branch, request, tools));
  SB_CHECK(integrate(repository.get(), incoming, current, tools.output));
  return "";
}

}  // namespace sebring::toolbox_git
