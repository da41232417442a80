#include "toolbox_git/worktree.h"

#include <algorithm>

#include "base/text.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/in_the_way.h"
#include "toolbox_git/repository.h"

namespace sebring::toolbox_git {
namespace {

struct Watch {
  Output& output;
  std::vector<std::string> conflicts;
};

void on_progress(const char*, std::size_t done, std::size_t total, void* payload) {
  static_cast<Watch*>(payload)->output.progress("checkout", static_cast<std::int64_t>(done),
                                                static_cast<std::int64_t>(total), 0);
}

int on_conflict(git_checkout_notify_t, const char* path, const git_diff_file*, const git_diff_file*,
                const git_diff_file*, void* payload) {
  static_cast<Watch*>(payload)->conflicts.emplace_back(path ? path : "");
  return 0;
}

}  // namespace

StringArray::StringArray(const std::vector<std::string>& texts) {
  pointers_.reserve(texts.size());
  for (const auto& text : texts) pointers_.push_back(const_cast<char*>(text.c_str()));  // libgit2 only reads them
  array_.strings = pointers_.data();
  array_.count = pointers_.size();
}

std::string list_some(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", " : "") + to_valid_utf8(names[i]);
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

Result<void> checkout(git_repository* repository, const git_object* target, const CheckoutWish& wish, Output& output,
                      std::string_view doing) {
  Watch watch{output, {}};
  auto wanted = wish.paths;
  // libgit2 looks no further than the beginning that all paths have in common, and reads backslashes in it as escapes:
  // "a\b" would be looked for at "ab". A path that nothing else begins with, and that is never written, prevents it.
  if (std::ranges::any_of(wanted, [](const std::string& path) { return path.contains('\\'); }))
    wanted.push_back(".git");
  const StringArray paths(wanted);
  git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
  options.checkout_strategy = wish.strategy | (wish.paths.empty() ? 0U : GIT_CHECKOUT_DISABLE_PATHSPEC_MATCH);
  options.paths = paths.get();
  options.progress_cb = on_progress;
  options.progress_payload = &watch;
  options.notify_flags = GIT_CHECKOUT_NOTIFY_CONFLICT;
  options.notify_cb = on_conflict;
  options.notify_payload = &watch;
  LeadingLinks links;
  Object tree;
  Index index;
  if ((wish.strategy & GIT_CHECKOUT_FORCE) && !wish.fresh) {
    SB_TRY(links, LeadingLinks::take_away(repository, target, wish.paths));
    // Compared with HEAD, libgit2 leaves out missing files whose kind changes. Who forces removes files himself.
    if (target) {
      GIT_CHECK(git_object_peel(out(tree), target, GIT_OBJECT_TREE), doing);
      options.baseline = reinterpret_cast<git_tree*>(tree.get());
    } else {
      GIT_CHECK(git_repository_index(out(index), repository), "open the index");
      options.baseline_index = index.get();
    }
  }
  const int rc =
      target ? git_checkout_tree(repository, target, &options) : git_checkout_index(repository, nullptr, &options);
  links.put_back();
  if (rc == GIT_ECONFLICT && !watch.conflicts.empty())
    return fail(Errc::conflict,
                std::string(doing) + ": local changes would be overwritten: " + list_some(watch.conflicts),
                kDirtyWorktree);
  GIT_CHECK(rc, doing);
  return {};
}

Result<void> switch_to_branch(git_repository* repository, const std::string& branch, Output& output) {
  const std::string reference = "refs/heads/" + branch;
  SB_TRY(auto commit, find_commit(repository, reference));
  SB_CHECK(checkout(repository, reinterpret_cast<git_object*>(commit.get()), {}, output, "checkout " + branch));
  GIT_CHECK(git_repository_set_head(repository, reference.c_str()), "set HEAD to " + branch);
  return {};
}

Result<void> switch_to_commit(git_repository* repository, const git_commit* commit, Output& output) {
  SB_CHECK(checkout(repository, reinterpret_cast<const git_object*>(commit), {}, output, "checkout"));
  GIT_CHECK(git_repository_set_head_detached(repository, git_commit_id(commit)), "detach HEAD");
  return {};
}

}  // namespace sebring::toolbox_git
