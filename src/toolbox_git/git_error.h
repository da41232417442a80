#pragma once
// What libgit2 reports, as our errors with the codes of the wire.
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox_git {

// Codes of the wire that clients turn into exceptions of their own.
inline constexpr char kAuthFailed[] = "GIT_AUTH_FAILED";            // 401
inline constexpr char kRepoNotFound[] = "GIT_REPO_NOT_FOUND";       // 404
inline constexpr char kBranchNotFound[] = "GIT_BRANCH_NOT_FOUND";   // 404
inline constexpr char kBranchExists[] = "GIT_BRANCH_EXISTS";        // 409
inline constexpr char kPushRejected[] = "GIT_PUSH_REJECTED";        // 409
inline constexpr char kDirtyWorktree[] = "GIT_DIRTY_WORKTREE";      // 409
inline constexpr char kMergeConflict[] = "GIT_MERGE_CONFLICT";      // 409
inline constexpr char kTransportFailed[] = "GIT_TRANSPORT_FAILED";  // 502
inline constexpr char kRemoteRejected[] = "GIT_REMOTE_REJECTED";    // 422

// Of a call that returned `rc` < 0 just now: libgit2 keeps its message per thread. "doing: message".
Error git_failure(int rc, std::string_view doing);

// Message and class of the last error; empty and -1 when there is none.
struct LastError {
  std::string message;
  int error_class = -1;
};
LastError last_error();

// Of a message like "unexpected http status code: 404"; 0 without one.
int http_status_in(std::string_view message);

}  // namespace sebring::toolbox_git

// GIT_CHECK(git_call(...), "doing this"): the function returns the error. Several of them may stand in one function.
#define GIT_CHECK(call, doing) \
  if (const int sb_rc = (call); sb_rc < 0) return std::unexpected(::sebring::toolbox_git::git_failure(sb_rc, doing))
