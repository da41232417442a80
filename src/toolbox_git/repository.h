#pragma once
// Opening repositories and finding things in them.
#include <string>

#include "base/result.h"
#include "toolbox_git/handles.h"

namespace sebring::toolbox_git {

// `path` is the repository's top or its .git; parents are not searched. GIT_REPO_NOT_FOUND when there is none, and
// Errc::forbidden when it belongs to another user and is not in safe.directory.
Result<Repository> open_repository(const std::string& path);
// Errc::invalid_argument for a bare one.
Result<Repository> open_with_worktree(const std::string& path);

// The commit that a branch, tag, hash or expression like HEAD~2 names. Errc::not_found.
Result<CommitHandle> find_commit(git_repository* repository, const std::string& revision);
// Commit and tree of HEAD; null before the first commit.
Result<CommitHandle> head_commit(git_repository* repository);
Result<Tree> head_tree(git_repository* repository);
// "main"; empty when HEAD is detached. Also before the first commit.
Result<std::string> current_branch(git_repository* repository);

// `file` as the index names it: relative to the top, without "./" and "//". An absolute one must lie inside.
// "" is the top itself. Errc::invalid_argument for paths that lead out.
Result<std::string> path_in_worktree(git_repository* repository, const std::string& file);

// Removes a file (not a directory) of the working tree, and the directories that it leaves empty. Never follows a
// symbolic link below the top. Fine when it is not there.
Result<void> remove_from_worktree(git_repository* repository, const std::string& path);

}  // namespace sebring::toolbox_git
