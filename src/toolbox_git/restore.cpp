#include <algorithm>

#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace {

bool lies_under(std::string_view path, std::string_view top) {
  if (top.empty() || path == top) return true;
  return path.size() > top.size() && path.starts_with(top) && path[top.size()] == '/';
}

// Names in the index that a path means: itself, or all below it.
std::vector<std::string> tracked_under(git_index* index, const std::string& path) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
    const auto* entry = git_index_get_byindex(index, i);
    if (lies_under(entry->path, path) && (names.empty() || names.back() != entry->path))
      names.emplace_back(entry->path);
  }
  return names;
}

bool has_path(git_tree* tree, const std::string& path) {
  if (path.empty()) return true;
  TreeEntry entry;
  return git_tree_entry_bypath(out(entry), tree, path.c_str()) == 0;
}

struct Selection {
  std::vector<std::string> paths;     // that the source has, directories included
  std::vector<std::string> vanished;  // tracked files that it has not
};

Result<Selection> select_from_tree(git_repository* repository, git_index* index, git_tree* tree,
                                   const std::vector<std::string>& files) {
  Selection selection;
  for (const auto& file : files) {
    SB_TRY(auto path, path_in_worktree(repository, file));
    const bool there = has_path(tree, path);
    const auto tracked = tracked_under(index, path);
    if (!there && tracked.empty()) return fail(Errc::not_found, "'" + file + "' did not match any file known to git");
    for (const auto& name : tracked)
      if (!has_path(tree, name)) selection.vanished.push_back(name);
    if (there) selection.paths.push_back(std::move(path));
  }
  return selection;
}

// "" (the top) means no restriction to libgit2.
CheckoutWish wish_for(std::vector<std::string> paths, unsigned extra) {
  if (std::ranges::find(paths, "") != paths.end()) paths.clear();
  return {GIT_CHECKOUT_FORCE | extra, std::move(paths)};
}

Result<void> restore_from_index(git_repository* repository, git_index* index, const Restore& request, Output& output) {
  std::vector<std::string> paths;
  for (const auto& file : request.files) {
    SB_TRY(auto path, path_in_worktree(repository, file));
    if (tracked_under(index, path).empty())
      return fail(Errc::not_found, "'" + file + "' did not match any file known to git");
    paths.push_back(std::move(path));
  }
  return checkout(repository, nullptr, wish_for(std::move(paths), GIT_CHECKOUT_DONT_UPDATE_INDEX), output, "restore");
}

int add_to_index(git_index* index, const std::string& path, const git_tree_entry* entry) {
  git_index_entry made{};
  made.path = path.c_str();
  made.mode = git_tree_entry_filemode(entry);
  made.id = *git_tree_entry_id(entry);
  return git_index_add(index, &made);
}

struct StageWalk {
  git_index* index;
  std::string top;
};

int stage_entry(const char* root, const git_tree_entry* entry, void* payload) {
  const auto& walk = *static_cast<StageWalk*>(payload);
  if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) return 0;
  return add_to_index(walk.index, walk.top + root + git_tree_entry_name(entry), entry);
}

// Entries of the index become the source's; the working tree is not looked at.
Result<void> stage_path(git_repository* repository, git_index* index, git_tree* tree, const std::string& path) {
  for (const auto& name : tracked_under(index, path)) git_index_conflict_remove(index, name.c_str());
  Tree below;
  if (path.empty()) {
    GIT_CHECK(git_tree_dup(out(below), tree), "restore");
  } else {
    TreeEntry entry;
    GIT_CHECK(git_tree_entry_bypath(out(entry), tree, path.c_str()), "restore " + path);
    if (git_tree_entry_type(entry.get()) != GIT_OBJECT_TREE) {
      GIT_CHECK(add_to_index(index, path, entry.get()), "restore " + path);
      return {};
    }
    GIT_CHECK(git_tree_lookup(out(below), repository, git_tree_entry_id(entry.get())), "restore " + path);
  }
  StageWalk walk{index, path.empty() ? "" : path + "/"};
  GIT_CHECK(git_tree_walk(below.get(), GIT_TREEWALK_PRE, stage_entry, &walk), "restore " + path);
  return {};
}

Result<void> restore_from_tree(git_repository* repository, git_index* index, const git_commit* source,
                               const Restore& request, Output& output) {
  Tree tree;
  GIT_CHECK(git_commit_tree(out(tree), source), "read the source");
  SB_TRY(auto selection, select_from_tree(repository, index, tree.get(), request.files));
  if (request.worktree) {
    for (const auto& name : selection.vanished) SB_CHECK(remove_from_worktree(repository, name));
    if (!selection.paths.empty())
      SB_CHECK(checkout(repository, reinterpret_cast<const git_object*>(source),
                        wish_for(selection.paths, GIT_CHECKOUT_DONT_UPDATE_INDEX), output, "restore"));
  }
  if (!request.staged) return {};
  for (const auto& name : selection.vanished) GIT_CHECK(git_index_remove(index, name.c_str(), 0), "restore " + name);
  for (const auto& path : selection.paths) SB_CHECK(stage_path(repository, index, tree.get(), path));
  GIT_CHECK(git_index_write(index), "write the index");
  return {};
}

// Before the first commit there is nothing to go back to: what is staged is taken out of the index.
Result<void> unstage_all(git_repository* repository, git_index* index, const Restore& request) {
  for (const auto& file : request.files) {
    SB_TRY(const auto path, path_in_worktree(repository, file));
    const auto tracked = tracked_under(index, path);
    if (tracked.empty()) return fail(Errc::not_found, "'" + file + "' did not match any file known to git");
    for (const auto& name : tracked) {
      if (request.worktree) SB_CHECK(remove_from_worktree(repository, name));
      GIT_CHECK(git_index_remove(index, name.c_str(), 0), "restore " + name);
    }
  }
  GIT_CHECK(git_index_write(index), "write the index");
  return {};
}

}  // namespace

Result<std::string> perform(const Restore& request, Tools& tools) {
  SB_TRY(auto repository, open_with_worktree(request.path));
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository.get()), "open the index");
  if (request.source.empty() && !request.staged) {
    SB_CHECK(restore_from_index(repository.get(), index.get(), request, tools.output));
    return "";
  }
  CommitHandle source;
  if (request.source.empty()) {
    SB_TRY(source, head_commit(repository.get()));
    if (!source) {
      SB_CHECK(unstage_all(repository.get(), index.get(), request));
      return "";
    }
  } else {
    SB_TRY(source, find_commit(repository.get(), request.source));
  }
  SB_CHECK(restore_from_tree(repository.get(), index.get(), source.get(), request, tools.output));
  return "";
}

}  // namespace sebring::toolbox_git
