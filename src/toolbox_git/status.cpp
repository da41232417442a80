#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/upstream.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;
namespace {

// The words of the wire for a file's state in the index and in the working tree.
constexpr std::string_view kUnmerged = "Updated but unmerged";

std::string_view staging_word(unsigned flags) {
  if (flags & GIT_STATUS_CONFLICTED) return kUnmerged;
  if (flags & GIT_STATUS_INDEX_NEW) return "Added";
  if (flags & GIT_STATUS_INDEX_RENAMED) return "Renamed";
  if (flags & GIT_STATUS_INDEX_DELETED) return "Deleted";
  if (flags & (GIT_STATUS_INDEX_MODIFIED | GIT_STATUS_INDEX_TYPECHANGE)) return "Modified";
  if (flags & GIT_STATUS_WT_NEW) return "Untracked";
  return "Unmodified";
}

std::string_view worktree_word(unsigned flags) {
  if (flags & GIT_STATUS_CONFLICTED) return kUnmerged;
  if (flags & GIT_STATUS_WT_NEW) return "Untracked";
  if (flags & GIT_STATUS_WT_RENAMED) return "Renamed";
  if (flags & GIT_STATUS_WT_DELETED) return "Deleted";
  if (flags & (GIT_STATUS_WT_MODIFIED | GIT_STATUS_WT_TYPECHANGE | GIT_STATUS_WT_UNREADABLE)) return "Modified";
  return "Unmodified";
}

bj::string text(const char* path) {
  const auto valid = to_valid_utf8(path ? path : "");
  return bj::string(bj::string_view(valid.data(), valid.size()));
}

bj::object render(const git_status_entry& entry) {
  const git_diff_delta* staged = entry.head_to_index;
  const git_diff_delta* unstaged = entry.index_to_workdir;
  const char* name = unstaged ? unstaged->new_file.path : staged ? staged->new_file.path : nullptr;
  const bool renamed = (entry.status & GIT_STATUS_INDEX_RENAMED) && staged;
  return {{"name", text(name)},
          {"extra", renamed ? text(staged->old_file.path) : bj::string()},
          {"staging", staging_word(entry.status)},
          {"worktree", worktree_word(entry.status)}};
}

Result<bj::array> changed_files(git_repository* repository) {
  git_status_options options = GIT_STATUS_OPTIONS_INIT;
  options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS |
                  GIT_STATUS_OPT_RENAMES_HEAD_TO_INDEX | GIT_STATUS_OPT_SORT_CASE_SENSITIVELY |
                  GIT_STATUS_OPT_INCLUDE_UNREADABLE | GIT_STATUS_OPT_UPDATE_INDEX;
  StatusList list;
  if (git_status_list_new(out(list), repository, &options) != 0) {
    // Remembering in the index which files were found unchanged is a favour to the next reader, and fails where the
    // repository is read-only or another process holds the lock.
    options.flags &= ~static_cast<unsigned>(GIT_STATUS_OPT_UPDATE_INDEX);
    GIT_CHECK(git_status_list_new(out(list), repository, &options), "read the status");
  }
  const std::size_t count = git_status_list_entrycount(list.get());
  bj::array files;
  files.reserve(count);
  for (std::size_t i = 0; i < count; ++i) files.push_back(render(*git_status_byindex(list.get(), i)));
  return files;
}

}  // namespace

Result<std::string> perform(const Status& request, Tools&) {
  SB_TRY(auto repository, open_with_worktree(request.path));
  SB_TRY(const auto branch, current_branch(repository.get()));
  SB_TRY(auto files, changed_files(repository.get()));
  SB_TRY(const auto upstream, upstream_of(repository.get(), branch));
  return json::serialize(bj::object{{"currentBranch", branch.empty() ? "HEAD" : to_valid_utf8(branch)},
                                    {"fileStatus", std::move(files)},
                                    {"branchPublished", upstream.published},
                                    {"ahead", upstream.ahead},
                                    {"behind", upstream.behind},
                                    {"detached", branch.empty()},
                                    {"upstream", to_valid_utf8(upstream.name)}});
}

}  // namespace sebring::toolbox_git
