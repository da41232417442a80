#include <algorithm>
#include <set>

#include "toolbox_git/git_error.h"
#include "toolbox_git/in_the_way.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace {

using Paths = std::set<std::string>;

int collect_delta(const git_diff_delta* delta, float, void* payload) {
  auto& paths = *static_cast<Paths*>(payload);
  for (const char* path : {delta->old_file.path, delta->new_file.path})
    if (path) paths.insert(path);
  return 0;
}

Result<Paths> paths_of(const git_diff* diff) {
  Paths paths;
  GIT_CHECK(git_diff_foreach(const_cast<git_diff*>(diff), collect_delta, nullptr, nullptr, nullptr, &paths), "compare");
  return paths;
}

Result<Paths> tree_to_tree(git_repository* repository, git_tree* before, git_tree* after) {
  Diff diff;
  GIT_CHECK(git_diff_tree_to_tree(out(diff), repository, before, after, nullptr), "compare HEAD with the target");
  return paths_of(diff.get());
}
Result<Paths> tree_to_index(git_repository* repository, git_tree* tree) {
  Diff diff;
  GIT_CHECK(git_diff_tree_to_index(out(diff), repository, tree, nullptr, nullptr), "compare with the index");
  return paths_of(diff.get());
}
Result<Paths> index_to_worktree(git_repository* repository) {
  Diff diff;
  git_diff_options options = GIT_DIFF_OPTIONS_INIT;
  options.flags = GIT_DIFF_UPDATE_INDEX;
  GIT_CHECK(git_diff_index_to_workdir(out(diff), repository, nullptr, &options), "compare with the working tree");
  return paths_of(diff.get());
}

Result<void> refuse_common(const Paths& moving, const Paths& changed, const char* what) {
  std::vector<std::string> common;
  std::ranges::set_intersection(moving, changed, std::back_inserter(common));
  if (common.empty()) return {};
  return fail(Errc::conflict, std::string("reset: ") + what + ": " + list_some(common), kDirtyWorktree);
}

Result<void> refuse_untracked(git_repository* repository, git_tree* target, const Paths& moving) {
  Paths written;
  for (const auto& path : moving) {
    TreeEntry entry;
    if (git_tree_entry_bypath(out(entry), target, path.c_str()) == 0) written.insert(path);
  }
  SB_TRY(const auto found, untracked_in_the_way(repository, written));
  if (found.empty()) return {};
  return fail(Errc::conflict, "reset: untracked files would be overwritten: " + list_some(found), kDirtyWorktree);
}

// Files of `paths` become what `target` has; those that it has not are removed.
Result<void> rewrite_files(git_repository* repository, const git_commit* target, git_tree* tree, const Paths& paths,
                           Output& output) {
  CheckoutWish wish{GIT_CHECKOUT_FORCE, {}};
  for (const auto& path : paths) {
    TreeEntry entry;
    if (git_tree_entry_bypath(out(entry), tree, path.c_str()) == 0) {
      wish.paths.push_back(path);
    } else {
      SB_CHECK(remove_from_worktree(repository, path));
    }
  }
  if (wish.paths.empty()) return {};
  return checkout(repository, reinterpret_cast<const git_object*>(target), wish, output, "reset");
}

// Files that differ between HEAD and the target move; a local change in one of them forbids it. Others keep theirs.
Result<Paths> files_for_keep(git_repository* repository, git_tree* head, git_tree* target) {
  SB_TRY(auto moving, tree_to_tree(repository, head, target));
  SB_TRY(const auto staged, tree_to_index(repository, head));
  SB_TRY(const auto unstaged, index_to_worktree(repository));
  SB_CHECK(refuse_common(moving, staged, "files with staged changes would be overwritten"));
  SB_CHECK(refuse_common(moving, unstaged, "files with local changes would be overwritten"));
  return moving;
}

// What is staged is thrown away; unstaged changes stay, unless their file is one that must move.
Result<Paths> files_for_merge(git_repository* repository, git_tree* target) {
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository), "open the index");
  SB_TRY(auto moving, tree_to_index(repository, target));
  SB_TRY(auto unstaged, index_to_worktree(repository));
  std::erase_if(unstaged, [&](const std::string& path) {  // an unresolved file is not a change of the user's
    return !git_index_get_bypath(index.get(), path.c_str(), 0);
  });
  SB_CHECK(refuse_common(moving, unstaged, "files with local changes would be overwritten"));
  return moving;
}

// Git leaves the directory of a submodule that the target does not have; libgit2 removes it with all that is in it,
// when it knows it from the index.
Result<void> forget_submodules(git_repository* repository, const git_tree* target) {
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository), "open the index");
  for (std::size_t i = git_index_entrycount(index.get()); i-- > 0;) {
    const auto* entry = git_index_get_byindex(index.get(), i);
    TreeEntry there;
    if (entry->mode != GIT_FILEMODE_COMMIT || git_tree_entry_bypath(out(there), target, entry->path) == 0) continue;
    GIT_CHECK(git_index_remove(index.get(), std::string(entry->path).c_str(), 0), "reset");
  }
  return {};
}

// libgit2 takes names for patterns here.
Result<void> reset_file_of_odd_name(const Reset& request, const std::string& file, const git_commit* target,
                                    Tools& tools) {
  const std::string source = target ? git_oid_tostr_s(git_commit_id(target)) : "";
  auto done = perform(Restore{request.path, {file}, true, false, source}, tools);
  if (!done && done.error().code() != Errc::not_found) return std::unexpected(std::move(done).error());
  return {};
}

Result<void> reset_files(git_repository* repository, const Reset& request, const git_commit* target, Tools& tools) {
  std::vector<std::string> paths;
  for (const auto& file : request.files) {
    SB_TRY(auto path, path_in_worktree(repository, file));
    if (path.find_first_of("#!\\*?[") != path.npos) {
      SB_CHECK(reset_file_of_odd_name(request, file, target, tools));
    } else {
      paths.push_back(path.empty() ? "*" : std::move(path));
    }
  }
  if (paths.empty()) return {};
  const StringArray specs(paths);
  GIT_CHECK(git_reset_default(repository, reinterpret_cast<const git_object*>(target), &specs.get()), "reset files");
  return {};
}

}  // namespace

Result<std::string> perform(const Reset& request, Tools& tools) {
  SB_TRY(auto repository, open_repository(request.path));
  SB_TRY(auto head, head_commit(repository.get()));
  CommitHandle target;
  if (!request.target.empty()) {
    SB_TRY(target, find_commit(repository.get(), request.target));
  } else {
    SB_TRY(target, head_commit(repository.get()));
  }
  if (!request.files.empty()) {
    SB_CHECK(reset_files(repository.get(), request, target.get(), tools));
    return "";
  }
  if (!target) return fail(Errc::not_found, "reset: there is no commit yet");
  const auto* object = reinterpret_cast<const git_object*>(target.get());
  if (request.mode != ResetMode::soft && git_repository_is_bare(repository.get()))
    return fail(Errc::invalid_argument, "reset: a bare repository has no working tree");
  Tree target_tree;
  GIT_CHECK(git_commit_tree(out(target_tree), target.get()), "read the target");
  if (request.mode == ResetMode::merge || request.mode == ResetMode::keep) {
    SB_TRY(auto tree, head_tree(repository.get()));
    Paths moving;
    if (request.mode == ResetMode::keep) {
      SB_TRY(moving, files_for_keep(repository.get(), tree.get(), target_tree.get()));
    } else {
      SB_TRY(moving, files_for_merge(repository.get(), target_tree.get()));
    }
    SB_CHECK(refuse_untracked(repository.get(), target_tree.get(), moving));
    SB_CHECK(rewrite_files(repository.get(), target.get(), target_tree.get(), moving, tools.output));
    GIT_CHECK(git_reset(repository.get(), object, GIT_RESET_MIXED, nullptr), "reset");
    return "";
  }
  // What libgit2 calls hard compares with HEAD; the rest of it is the same as mixed once the files are there.
  if (request.mode == ResetMode::hard) {
    SB_CHECK(forget_submodules(repository.get(), target_tree.get()));
    SB_CHECK(checkout(repository.get(), object, {GIT_CHECKOUT_FORCE, {}}, tools.output, "reset"));
  }
  const auto kind = request.mode == ResetMode::soft ? GIT_RESET_SOFT : GIT_RESET_MIXED;
  GIT_CHECK(git_reset(repository.get(), object, kind, nullptr), "reset");
  return "";
}

}  // namespace sebring::toolbox_git
