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

int add_directory(const char* root, const git_tree_entry* entry, void* payload) {
  if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
    static_cast<Directories*>(payload)->emplace(std::string(root) + git_tree_entry_name(entry));
  return 0;
}

Result<void> add_directories(git_tree* tree, Directories& directories) {
  if (tree) GIT_CHECK(git_tree_walk(tree, GIT_TREEWALK_PRE, add_directory, &directories), "read a tree");
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

Result<Directories> known_directories(git_repository* repository, git_index* index, const git_object* target) {
  Directories directories;
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i)
    add_parents(git_index_get_byindex(index, i)->path, directories);
  SB_TRY(const auto head, head_tree(repository));
  SB_CHECK(add_directories(head.get(), directories));
  if (!target) return directories;
  Object tree;
  GIT_CHECK(git_object_peel(out(tree), target, GIT_OBJECT_TREE), "read the target");
  SB_CHECK(add_directories(reinterpret_cast<git_tree*>(tree.get()), directories));
  return directories;
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
  SB_TRY(const auto directories, known_directories(repository, index.get(), target));
  const std::string top = git_repository_workdir(repository);
  for (const auto& directory : directories) {
    const auto path = top + directory;
    if (!stands(path, InTheWay::link) || !concerns(directory, paths)) continue;
    std::string destination(PATH_MAX, '\0');
    const auto length = ::readlink(path.c_str(), destination.data(), destination.size());
    if (length < 0 || ::unlink(path.c_str()) != 0) return fail_errno(errno, "remove the link " + path);
    destination.resize(static_cast<std::size_t>(length));
    if (!git_index_get_bypath(index.get(), directory.c_str(), 0)) taken.untracked_.push_back({path, destination});
  }
  return taken;
}

void LeadingLinks::put_back() const {
  for (const auto& link : untracked_) (void)::symlink(link.destination.c_str(), link.path.c_str());
}

}  // namespace sebring::toolbox_git
