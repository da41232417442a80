#include "toolbox_git/commit.h"

#include <boost/json.hpp>

#include "json/json.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;
namespace {

int collect_parent(const git_oid* id, void* payload) {
  static_cast<std::vector<git_oid>*>(payload)->push_back(*id);
  return 0;
}

// HEAD, and what a merge that is under way brings in.
Result<std::vector<CommitHandle>> parents_of_next(git_repository* repository) {
  std::vector<CommitHandle> parents;
  SB_TRY(auto head, head_commit(repository));
  if (head) parents.push_back(std::move(head));
  std::vector<git_oid> merged;
  const int rc = git_repository_mergehead_foreach(repository, collect_parent, &merged);
  if (rc != GIT_ENOTFOUND) GIT_CHECK(rc, "read the merge that is under way");
  for (const auto& id : merged) {
    CommitHandle parent;
    GIT_CHECK(git_commit_lookup(out(parent), repository, &id), "read the merge that is under way");
    parents.push_back(std::move(parent));
  }
  return parents;
}

Result<void> refuse_unmerged(git_index* index) {
  const auto files = conflicted_files(index);
  if (files.empty()) return {};
  return fail(Errc::conflict, "files with unresolved conflicts: " + list_some(files), kMergeConflict);
}

Result<void> refuse_empty(const std::vector<CommitHandle>& parents, const git_oid& tree, git_index* index) {
  const bool unchanged = parents.empty()
                             ? git_index_entrycount(index) == 0
                             : parents.size() == 1 && git_oid_equal(git_commit_tree_id(parents[0].get()), &tree);
  if (unchanged) return fail(Errc::invalid_argument, "nothing to commit: no changes are staged");
  return {};
}

}  // namespace

std::string hex(const git_oid& id) {
  char text[GIT_OID_SHA1_HEXSIZE + 1];
  return git_oid_tostr(text, sizeof text, &id);
}

std::vector<std::string> conflicted_files(git_index* index) {
  std::vector<std::string> files;
  ConflictIterator iterator;
  if (!git_index_has_conflicts(index) || git_index_conflict_iterator_new(out(iterator), index) != 0) return files;
  const git_index_entry *ancestor = nullptr, *ours = nullptr, *theirs = nullptr;
  while (git_index_conflict_next(&ancestor, &ours, &theirs, iterator.get()) == 0) {
    const auto* any = ours ? ours : theirs ? theirs : ancestor;
    files.emplace_back(any->path);
  }
  return files;
}

Result<git_oid> commit_index(git_repository* repository, git_index* index, const git_signature* author,
                             const std::string& message, bool allow_empty) {
  SB_CHECK(refuse_unmerged(index));
  git_oid tree_id;
  GIT_CHECK(git_index_write_tree(&tree_id, index), "write the tree");
  SB_TRY(const auto parents, parents_of_next(repository));
  if (!allow_empty) SB_CHECK(refuse_empty(parents, tree_id, index));
  Tree tree;
  GIT_CHECK(git_tree_lookup(out(tree), repository, &tree_id), "read the tree");
  std::vector<const git_commit*> raw;
  for (const auto& parent : parents) raw.push_back(parent.get());
  git_oid id;
  GIT_CHECK(git_commit_create(&id, repository, "HEAD", author, author, nullptr, message.c_str(), tree.get(), raw.size(),
                              raw.data()),
            "commit");
  git_repository_state_cleanup(repository);
  return id;
}

Result<std::string> perform(const Commit& request, Tools&) {
  SB_TRY(auto repository, open_with_worktree(request.path));
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository.get()), "open the index");
  Signature author;
  GIT_CHECK(git_signature_now(out(author), request.author.c_str(), request.email.c_str()), "name the author");
  SB_TRY(const auto id,
         commit_index(repository.get(), index.get(), author.get(), request.message, request.allow_empty));
  return json::serialize(bj::object{{"hash", hex(id)}});
}

}  // namespace sebring::toolbox_git
