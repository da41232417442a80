#include <sys/stat.h>

#include "toolbox_git/branch_names.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"

namespace sebring::toolbox_git {

Result<std::string> perform(const Init& request, Tools&) {
  if (!request.initial_branch.empty()) SB_CHECK(check_branch_name(request.initial_branch));
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_NO_REINIT | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_MKPATH |
                  (request.bare ? GIT_REPOSITORY_INIT_BARE : 0U);
  options.initial_head = request.initial_branch.empty() ? nullptr : request.initial_branch.c_str();
  Repository repository;
  const int rc = git_repository_init_ext(out(repository), request.path.c_str(), &options);
  if (struct stat info; rc < 0 && ::stat(request.path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode))
    return fail(Errc::invalid_argument, "make a repository at " + request.path + ": it is no directory");
  if (rc == GIT_EEXISTS) return fail(Errc::conflict, "there is a git repository already at " + request.path);
  GIT_CHECK(rc, "make a repository at " + request.path);
  return "";
}

}  // namespace sebring::toolbox_git
