#include "toolbox_git/leading_links.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <set>

#include "toolbox_git/git_error.h"
#include "toolbox_git/repository.h"

namespace sebring::toolbox_git {
namespace {

using Directories = std::set<std::string, std::less<>>;  // parents come before what is in them

bool stands(const std::string& path, InTheWay kind) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return false;
  return kind == InTheWay::link ? S_ISLNK(info.st_mode) : !S_ISDIR(info.st_mode);
}

void add_parents(std::string_view path, Directories& directories) {
  for (auto slash = path.rfind('/'); slash != path.npos; slash = path.rfind('/')) {
    path = path.substr(0, slash);
    if (directories.contains(path)) return;
    directories.emplace(path);
  }
}

// Modes of files whose content would be written through a link.
bool is_plain(unsigned mode) { return mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE; }

struct Known {
  Directories directories;
  std::vector<std::string> files;  // plain ones that the checkout may write
};

struct TreeWalk {
  Known& known;
  bool written;
};

int add_entry(const char* root, const git_tree_entry* entry, void* payload) {
  const auto& walk = *static_cast<TreeWalk*>(payload);
  auto path = std::string(root) + git_tree_entry_name(entry);
  if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
    walk.known.directories.insert(std::move(path));
  } else if (walk.written && is_plain(git_tree_entry_filemode(entry))) {
    walk.known.files.push_back(std::move(path));
  }
  return 0;
}

Result<void> add_tree(const git_tree* tree, bool written, Known& known) {
  TreeWalk walk{known, written};
  if (tree) GIT_CHECK(git_tree_walk(tree, GIT_TREEWALK_PRE, add_entry, &walk), "read a tree");
  return {};
}

bool is_within(std::string_view path, std::string_view top) {
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

bool concerns(const std::string& directory, const std::vector<std::string>& paths) {
  return paths.empty() || std::ranges::any_of(paths, [&](const std::string& path) {
           return is_within(directory, path) || is_within(path, directory);
         });
}

bool is_selected(const std::string& file, const std::vector<std::string>& paths) {
  return paths.empty() || std::ranges::any_of(paths, [&](const std::string& path) { return is_within(file, path); });
}

Result<Known> what_git_knows(git_repository* repository, git_index* index, const git_object* target) {
  Known known;
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i) {
    const auto* entry = git_index_get_byindex(index, i);
    add_parents(entry->path, known.directories);
    if (!target && is_plain(entry->mode)) known.files.emplace_back(entry->path);
  }
  SB_TRY(const auto head, head_tree(repository));
  SB_CHECK(add_tree(head.get(), false, known));
  if (!target) return known;
  Object tree;
  GIT_CHECK(git_object_peel(out(tree), target, GIT_OBJECT_TREE), "read the target");
  SB_CHECK(add_tree(reinterpret_cast<git_tree*>(tree.get()), true, known));
  return known;
}

}  // namespace

std::string in_the_way(git_repository* repository, const std::string& path, InTheWay kind) {
  const std::string top = git_repository_workdir(repository);
  for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    auto directory = path.substr(0, slash);
    if (stands(top + directory, kind)) return directory;
  }
  return "";
}

Result<LeadingLinks> LeadingLinks::take_away(git_repository* repository, const git_object* target,
                                             const std::vector<std::string>& paths) {
  LeadingLinks taken;
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository), "open the index");
  SB_TRY(const auto known, what_git_knows(repository, index.get(), target));
  const std::string top = git_repository_workdir(repository);
  for (const auto& directory : known.directories) {
    const auto path = top + directory;
    if (!stands(path, InTheWay::link) || !concerns(directory, paths)) continue;
    std::string destination(PATH_MAX, '\0');
    const auto length = ::readlink(path.c_str(), destination.data(), destination.size());
    if (length < 0 || ::unlink(path.c_str()) != 0) return fail_errno(errno, "remove the link " + path);
    destination.resize(static_cast<std::size_t>(length));
    if (!git_index_get_bypath(index.get(), directory.c_str(), 0)) taken.untracked_.push_back({path, destination});
  }
  for (const auto& file : known.files) {
    const auto path = top + file;
    if (!stands(path, InTheWay::link) || !is_selected(file, paths)) continue;
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, "remove the link " + path);
    taken.removed_files_ = true;
  }
  return taken;
}

void LeadingLinks::put_back() const {
  for (const auto& link : untracked_) (void)::symlink(link.destination.c_str(), link.path.c_str());
}

}  // namespace sebring::toolbox_git
