#include <sys/stat.h>

#include "toolbox_git/git_error.h"
#include "toolbox_git/in_the_way.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace {

enum class Kind { missing, directory, other };

Kind kind_of(git_repository* repository, const std::string& path) {
  struct stat info;
  if (::lstat((git_repository_workdir(repository) + path).c_str(), &info) != 0) return Kind::missing;
  return S_ISDIR(info.st_mode) ? Kind::directory : Kind::other;
}

// Is a file, or the top of another repository, which is added as one entry.
bool is_single_entry(git_repository* repository, const std::string& path, Kind kind) {
  if (kind == Kind::other) return true;
  if (kind == Kind::missing || path.empty()) return false;
  struct stat info;
  return ::lstat((git_repository_workdir(repository) + path + "/.git").c_str(), &info) == 0;
}

struct Matches {
  std::string top;  // what lies elsewhere is left out; empty: nothing is
  std::size_t count = 0;
};

int count_match(const char* path, const char*, void* payload) {
  auto& matches = *static_cast<Matches*>(payload);
  if (!matches.top.empty() && !std::string_view(path).starts_with(matches.top)) return 1;
  ++matches.count;
  return 0;
}

// What is new, changed or gone under a pattern; ignored files are left out. Empty: everywhere.
Result<std::size_t> add_all(git_index* index, const std::string& pattern, Matches matches = {}) {
  const std::vector<std::string> paths =
      pattern.empty() ? std::vector<std::string>() : std::vector<std::string>{pattern};
  const StringArray specs(paths);
  const unsigned flags = matches.top.empty() ? GIT_INDEX_ADD_DEFAULT : GIT_INDEX_ADD_DISABLE_PATHSPEC_MATCH;
  GIT_CHECK(git_index_add_all(index, paths.empty() ? nullptr : &specs.get(), flags, count_match, &matches),
            "add " + (pattern.empty() ? "all files" : pattern));
  return matches.count;
}

// The same below a directory, whatever its name is.
Result<void> add_directory(git_index* index, const std::string& path) {
  // libgit2 reads these as comments, negations and wildcards also where it should not: "#x" would be everything.
  const bool plain = path.find_first_of("#!\\*?[ ") == path.npos;
  SB_CHECK(add_all(index, plain ? path : "", {path.empty() ? "" : path + "/"}));
  return {};
}

bool is_tracked_directory(git_index* index, const std::string& path) {
  std::size_t position = 0;
  return git_index_find_prefix(&position, index, (path + "/").c_str()) == 0;
}

Result<void> add_one(git_repository* repository, git_index* index, const std::string& file) {
  SB_TRY(const auto path, path_in_worktree(repository, file));
  if (!in_the_way(repository, path, InTheWay::link).empty())
    return fail(Errc::invalid_argument, "'" + file + "' is beyond a symbolic link");
  const auto kind = path.empty() ? Kind::directory : kind_of(repository, path);
  if (is_single_entry(repository, path, kind)) {
    GIT_CHECK(git_index_add_bypath(index, path.c_str()), "add " + path);
    // libgit2 leaves what the index had below a directory of that name.
    GIT_CHECK(git_index_remove_directory(index, path.c_str(), 0), "add " + path);
    return {};
  }
  if (kind == Kind::directory) {
    return add_directory(index, path);
  }
  if (git_index_get_bypath(index, path.c_str(), 0)) {
    GIT_CHECK(git_index_remove_bypath(index, path.c_str()), "add the removal of " + path);
    return {};
  }
  if (is_tracked_directory(index, path)) {
    return add_directory(index, path);
  }
  if (path.find_first_of("*?[") != path.npos) {
    SB_TRY(const auto matches, add_all(index, path));
    if (matches > 0) return {};
  }
  return fail(Errc::not_found, "'" + file + "' did not match any files");
}

}  // namespace

Result<std::string> perform(const Add& request, Tools&) {
  SB_TRY(auto repository, open_with_worktree(request.path));
  Index index;
  GIT_CHECK(git_repository_index(out(index), repository.get()), "open the index");
  for (const auto& file : request.files) SB_CHECK(add_one(repository.get(), index.get(), file));
  GIT_CHECK(git_index_write(index.get()), "write the index");
  return "";
}

}  // namespace sebring::toolbox_git
