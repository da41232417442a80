#include "toolbox_git/in_the_way.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <memory>
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

int add_directory(const char* root, const git_tree_entry* entry, void* payload) {
  if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
    static_cast<Directories*>(payload)->insert(std::string(root) + git_tree_entry_name(entry));
  return 0;
}

Result<void> add_tree(const git_tree* tree, Directories& directories) {
  GIT_CHECK(git_tree_walk(tree, GIT_TREEWALK_PRE, add_directory, &directories), "read a tree");
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

// Of the index, HEAD and `target` (may be null), with the top itself.
Result<Directories> known_directories(git_repository* repository, git_index* index, const git_tree* target) {
  Directories directories{""};
  for (std::size_t i = 0; i < git_index_entrycount(index); ++i)
    add_parents(git_index_get_byindex(index, i)->path, directories);
  SB_TRY(const auto head, head_tree(repository));
  if (head) SB_CHECK(add_tree(head.get(), directories));
  if (target && (!head || !git_oid_equal(git_tree_id(target), git_tree_id(head.get()))))
    SB_CHECK(add_tree(target, directories));
  return directories;
}

// Whether a checkout of `target` (null: of the index) may write the content of a file there.
bool is_written(git_index* index, const git_tree* target, const std::string& path) {
  if (target) {
    TreeEntry entry;
    if (git_tree_entry_bypath(out(entry), target, path.c_str()) != 0) return false;
    return is_plain(git_tree_entry_filemode(entry.get()));
  }
  std::size_t position = 0;
  return git_index_find(&position, index, path.c_str()) == 0 && is_plain(git_index_get_byindex(index, position)->mode);
}

// Names in a directory that are neither files nor directories: links, pipes, sockets, devices. One look at a directory
// is far quicker than one at each of its files.
std::vector<std::string> odd_names(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (entry->d_type == DT_REG || entry->d_type == DT_DIR) continue;
    struct stat info;
    const bool is_odd = entry->d_type != DT_UNKNOWN ||
                        (::fstatat(::dirfd(stream.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                         !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
    if (is_odd) names.emplace_back(entry->d_name);
  }
  return names;
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
  Object tree_object;
  if (target) GIT_CHECK(git_object_peel(out(tree_object), target, GIT_OBJECT_TREE), "read the target");
  const auto* tree = reinterpret_cast<const git_tree*>(tree_object.get());
  SB_TRY(const auto directories, known_directories(repository, index.get(), tree));
  const std::string top = git_repository_workdir(repository);
  for (const auto& directory : directories) {
    const auto path = top + directory;
    if (!directory.empty() && !concerns(directory, paths)) continue;
    if (!directory.empty() && stands(path, InTheWay::link)) {
      std::string destination(PATH_MAX, '\0');
      const auto length = ::readlink(path.c_str(), destination.data(), destination.size());
      if (length < 0 || ::unlink(path.c_str()) != 0) return fail_errno(errno, "remove the link " + path);
      destination.resize(static_cast<std::size_t>(length));
      if (!git_index_get_bypath(index.get(), directory.c_str(), 0)) taken.untracked_.push_back({path, destination});
      continue;
    }
    for (const auto& name : odd_names(path)) {
      const auto file = directory.empty() ? name : directory + "/" + name;
      if (!is_selected(file, paths) || !is_written(index.get(), tree, file)) continue;
      if (::unlink((top + file).c_str()) != 0) return fail_errno(errno, "remove " + top + file);
    }
  }
  return taken;
}

void LeadingLinks::put_back() const {
  for (const auto& link : untracked_) (void)::symlink(link.destination.c_str(), link.path.c_str());
}

}  // namespace sebring::toolbox_git
