#include "toolbox_git/repository.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "base/unique_fd.h"
#include "toolbox_git/git_error.h"

namespace sebring::toolbox_git {
namespace {

// Lexically: "a//./b/" is "a/b". nullopt when ".." leads out.
std::optional<std::string> normalised(std::string_view path) {
  std::vector<std::string> parts;
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.emplace_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  return join(parts, "/");
}

// The directory that holds `path`, no symbolic link on the way.
int open_parent(int top, const std::string& directory) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return static_cast<int>(::syscall(SYS_openat2, top, directory.empty() ? "." : directory.c_str(), &how, sizeof how));
}

}  // namespace

Result<Repository> open_repository(const std::string& path) {
  Repository repository;
  const int rc = git_repository_open_ext(out(repository), path.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (rc == GIT_ENOTFOUND) return fail(Errc::not_found, "no git repository at " + path, kRepoNotFound);
  if (rc == GIT_EOWNER)
    return fail(Errc::forbidden, "the repository at " + path +
                                     " belongs to another user; to trust it, add its path to safe.directory in the git "
                                     "configuration");
  GIT_CHECK(rc, "open the repository at " + path);
  return repository;
}

Result<Repository> open_with_worktree(const std::string& path) {
  SB_TRY(auto repository, open_repository(path));
  if (git_repository_is_bare(repository.get()))
    return fail(Errc::invalid_argument, "the repository at " + path + " is bare: it has no working tree");
  return repository;
}

Result<CommitHandle> find_commit(git_repository* repository, const std::string& revision) {
  Object object;
  const int rc = git_revparse_single(out(object), repository, revision.c_str());
  if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC)
    return fail(Errc::not_found, "revision '" + revision + "' not found");
  GIT_CHECK(rc, "find '" + revision + "'");
  Object commit;
  if (git_object_peel(out(commit), object.get(), GIT_OBJECT_COMMIT) != 0)
    return fail(Errc::invalid_argument, "'" + revision + "' is no commit");
  return CommitHandle(reinterpret_cast<git_commit*>(commit.release()));
}

Result<CommitHandle> head_commit(git_repository* repository) {
  Reference head;
  const int rc = git_repository_head(out(head), repository);
  if (rc == GIT_EUNBORNBRANCH || rc == GIT_ENOTFOUND) return CommitHandle();
  GIT_CHECK(rc, "read HEAD");
  Object commit;
  GIT_CHECK(git_reference_peel(out(commit), head.get(), GIT_OBJECT_COMMIT), "read HEAD");
  return CommitHandle(reinterpret_cast<git_commit*>(commit.release()));
}

Result<Tree> head_tree(git_repository* repository) {
  SB_TRY(auto commit, head_commit(repository));
  Tree tree;
  if (!commit) return tree;
  GIT_CHECK(git_commit_tree(out(tree), commit.get()), "read the tree of HEAD");
  return tree;
}

Result<std::string> current_branch(git_repository* repository) {
  Reference head;
  GIT_CHECK(git_reference_lookup(out(head), repository, "HEAD"), "read HEAD");
  const char* target = git_reference_symbolic_target(head.get());
  if (!target) return "";
  const std::string_view name(target);
  return std::string(name.starts_with("refs/heads/") ? name.substr(11) : name);
}

Result<std::string> path_in_worktree(git_repository* repository, const std::string& file) {
  std::string_view rest = file;
  if (rest.starts_with('/')) {
    const std::string_view top = git_repository_workdir(repository);  // ends with a slash
    if (rest == top.substr(0, top.size() - 1)) return "";
    if (!rest.starts_with(top)) return fail(Errc::invalid_argument, "'" + file + "' is outside the repository");
    rest.remove_prefix(top.size());
  }
  auto path = normalised(rest);
  if (!path) return fail(Errc::invalid_argument, "'" + file + "' is outside the repository");
  return *std::move(path);
}

Result<void> remove_from_worktree(git_repository* repository, const std::string& path) {
  const UniqueFd top(::open(git_repository_workdir(repository), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail_errno(errno, "open the working tree");
  auto slash = path.rfind('/');
  UniqueFd parent(open_parent(top.get(), slash == path.npos ? "" : path.substr(0, slash)));
  if (!parent) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return {};
    return fail_errno(errno, "remove " + path);
  }
  if (::unlinkat(parent.get(), path.substr(slash == path.npos ? 0 : slash + 1).c_str(), 0) != 0 && errno != ENOENT &&
      errno != EISDIR)
    return fail_errno(errno, "remove " + path);
  // Git tracks no empty directories.
  while (slash != path.npos) {
    const auto directory = path.substr(0, slash);
    slash = directory.rfind('/');
    parent.reset(open_parent(top.get(), slash == path.npos ? "" : directory.substr(0, slash)));
    const auto name = directory.substr(slash == path.npos ? 0 : slash + 1);
    if (!parent || ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0) break;
  }
  return {};
}

}  // namespace sebring::toolbox_git
