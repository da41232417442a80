#pragma once
// Making commits: of what a user staged, and of merges.
#include <string>
#include <vector>

#include "base/result.h"
#include "toolbox_git/handles.h"

namespace sebring::toolbox_git {

std::string hex(const git_oid& id);

// Files that a merge left unresolved.
std::vector<std::string> conflicted_files(git_index* index);

// On HEAD, with the parents of a merge that is under way, which it ends. GIT_MERGE_CONFLICT while files are unresolved;
// Errc::invalid_argument when nothing has changed and that is not allowed.
Result<git_oid> commit_index(git_repository* repository, git_index* index, const git_signature* author,
                             const std::string& message, bool allow_empty);

}  // namespace sebring::toolbox_git
