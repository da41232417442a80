#include "toolbox_git/in_the_way.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
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

// In whatever stage.
bool is_known(git_index* index, const std::string& path) {
  std::size_t position = 0;
  return git_index_find(&position, index, path.c_str()) == 0;
}

bool is_known_directory(git_index* index, const std::string& path) {
  std::size_t position = 0;
  return git_index_find_prefix(&position, index, (path + "/").c_str()) == 0;
}

// Whether there is something at the path, other than directories.
bool holds_files(const std::filesystem::path& path) {
  std::error_code code;
  const auto status = std::filesystem::symlink_status(path, code);
  if (!std::filesystem::exists(status)) return false;
  if (!std::filesystem::is_directory(status)) return true;
  std::filesystem::recursive_directory_iterator it(path, code);
  for (; !code && it != std::filesystem::recursive_directory_iterator(); it.increment(code))
    if (!it->is_directory(code) || it->is_symlink(code)) return true;
  return static_cast<bool>(code);
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

Result<std::vector<std::string>> untracked_in_the_way(git_repository* repository, const std::set<std::string>& paths) {
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository), "open the index");
  const std::string top = git_repository_workdir(repository);
  std::set<std::string> found;
  for (const auto& path : paths) {
    auto obstacle = in_the_way(repository, path, InTheWay::any_file);
    if (obstacle.empty() && !is_known_directory(index.get(), path) && holds_files(top + path)) obstacle = path;
    int ignored = 0;
    if (obstacle.empty() || is_known(index.get(), obstacle)) continue;
    if (git_ignore_path_is_ignored(&ignored, repository, obstacle.c_str()) == 0 && ignored) continue;
    found.insert(std::move(obstacle));
  }
  return std::vector<std::string>(found.begin(), found.end());
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
  }
  return taken;
}

void LeadingLinks::put_back() const {
  for (const auto& link : untracked_) (void)::symlink(link.destination.c_str(), link.path.c_str());
}

}  // namespace sebring::toolbox_git
