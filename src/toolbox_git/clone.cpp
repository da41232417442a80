#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "toolbox_git/discard.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/remote_session.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/submodules.h"
#include "toolbox_git/worktree.h"

namespace sebring::toolbox_git {
namespace {

namespace fs = std::filesystem;

// The directory that a clone fills, and empties again unless it was kept.
class Target {
 public:
  static Result<Target> prepare(const std::string& path) {
    std::error_code code;
    const auto status = fs::symlink_status(path, code);
    if (fs::exists(status)) {
      if (!fs::is_directory(path, code)) return fail(Errc::conflict, "clone: " + path + " is not a directory");
      const bool is_empty = fs::is_empty(path, code);
      if (code) return fail_errno(code.value(), "clone into " + path);
      if (!is_empty) return fail(Errc::conflict, "clone: " + path + " exists and is not empty");
      return Target(path, true);
    }
    if (code && code != std::errc::no_such_file_or_directory) return fail_errno(code.value(), "clone into " + path);
    fs::create_directories(path, code);
    if (code) return fail_errno(code.value(), "clone into " + path);
    return Target(path, false);
  }
  Target(Target&& other) noexcept : path_(std::exchange(other.path_, "")), existed_(other.existed_) {}
  Target(const Target&) = delete;
  ~Target() {
    if (path_.empty()) return;
    [[maybe_unused]] const auto removed = remove_tree(path_, existed_);  // the reason why we are here is told instead
  }
  bool existed() const { return existed_; }
  void keep() { path_.clear(); }

 private:
  Target(std::string path, bool existed) : path_(std::move(path)), existed_(existed) {}
  std::string path_;
  bool existed_;
};

// What HEAD will be.
struct Start {
  std::string branch;  // empty: detached
  std::string tag;
  bool empty_repository = false;
};

struct RemoteHeads {
  const git_remote_head** list = nullptr;
  std::size_t count = 0;
  bool has(const std::string& name) const {
    for (std::size_t i = 0; i < count; ++i)
      if (name == list[i]->name) return true;
    return false;
  }
};

// Decided from the server's list of references, before anything is downloaded.
Result<Start> choose_start(git_remote* remote, const Clone& request) {
  RemoteHeads heads;
  GIT_CHECK(git_remote_ls(&heads.list, &heads.count, remote), "list the server's branches");
  if (!request.branch.empty()) {
    if (heads.has("refs/heads/" + request.branch)) return Start{request.branch, "", false};
    if (heads.has("refs/tags/" + request.branch)) return Start{"", request.branch, false};
    return fail(Errc::not_found, "clone: branch '" + request.branch + "' not found on the server", kBranchNotFound);
  }
  if (heads.count == 0) return Start{"", "", true};
  Buffer name;
  if (git_remote_default_branch(name.get(), remote) == 0 && name.text().starts_with("refs/heads/"))
    return Start{std::string(name.text().substr(11)), "", false};
  if (heads.has("HEAD")) return Start{};  // the server's HEAD is detached
  return fail(Errc::not_found, "clone: the server's HEAD names no branch, so a branch must be given", kBranchNotFound);
}

class Cloning {
 public:
  Cloning(const Clone& request, Tools& tools) : request_(request), tools_(tools) {}

  Result<void> run() {
    GIT_CHECK(git_repository_init(out(repository_), request_.path.c_str(), 0), "clone into " + request_.path);
    GIT_CHECK(git_remote_create(out(remote_), repository_.get(), "origin", request_.url.c_str()), "add remote origin");
    SB_TRY(session_, RemoteSession::open(repository_.get(), tools_.output, request_.url,
                                         {request_.sign_in, request_.insecure_skip_tls, tools_.ca_file}));
    if (request_.depth > 0 && session_->url().scheme == Scheme::local)
      return fail(Errc::invalid_argument, "clone: depth is not possible for a local path");
    SB_CHECK(download());
    SB_CHECK(set_head());
    const auto url = session_->url();
    session_.reset();  // submodules have sessions of their own
    return request_.submodules ? update_submodules(repository_.get(), url, request_, tools_) : Result<void>();
  }

 private:
  Result<void> download() {
    const auto connect = session_->connect_options();
    if (const int rc = git_remote_connect_ext(remote_.get(), GIT_DIRECTION_FETCH, &connect); rc < 0)
      return std::unexpected(session_->failure(rc, "clone from"));
    SB_TRY(start_, choose_start(remote_.get(), request_));
    if (!start_.branch.empty()) {
      const auto head = "refs/heads/" + start_.branch;
      GIT_CHECK(git_repository_set_head(repository_.get(), head.c_str()), "set HEAD");
    }
    if (start_.empty_repository) return {};
    // Like git: a shallow clone takes the one branch, a whole one takes all of them.
    std::vector<std::string> specs;
    if (request_.depth > 0) specs.push_back(single_refspec());
    if (request_.depth > 0 && !start_.branch.empty()) SB_CHECK(narrow_remote());
    const auto options = session_->fetch_options(request_.depth);
    const StringArray array(specs);
    const int rc = git_remote_fetch(remote_.get(), specs.empty() ? nullptr : &array.get(), &options, "clone");
    if (rc < 0) return std::unexpected(session_->failure(rc, "clone from"));
    return {};
  }

  std::string single_refspec() const {
    if (!start_.branch.empty()) return "+refs/heads/" + start_.branch + ":refs/remotes/origin/" + start_.branch;
    if (!start_.tag.empty()) return "+refs/tags/" + start_.tag + ":refs/tags/" + start_.tag;
    return "+HEAD:refs/remotes/origin/HEAD";
  }

  // Later fetches and pulls of a shallow clone stay with its branch.
  Result<void> narrow_remote() {
    Config config;
    GIT_CHECK(git_repository_config(out(config), repository_.get()), "open configuration");
    GIT_CHECK(git_config_set_string(config.get(), "remote.origin.fetch", single_refspec().c_str()), "set up origin");
    return {};
  }

  Result<void> set_head() {
    if (start_.empty_repository) return {};
    auto* repository = repository_.get();
    CommitHandle commit;
    if (!start_.branch.empty()) {
      const auto there = "refs/remotes/origin/" + start_.branch;
      SB_TRY(commit, find_commit(repository, there));
      Reference branch;
      GIT_CHECK(git_reference_create(out(branch), repository, ("refs/heads/" + start_.branch).c_str(),
                                     git_commit_id(commit.get()), 1, "clone"),
                "make branch " + start_.branch);
      GIT_CHECK(git_branch_set_upstream(branch.get(), ("origin/" + start_.branch).c_str()), "set the upstream");
      Reference head;
      if (request_.branch.empty())
        git_reference_symbolic_create(out(head), repository, "refs/remotes/origin/HEAD", there.c_str(), 1, "clone");
    } else {
      SB_TRY(commit, find_commit(repository, start_.tag.empty() ? "FETCH_HEAD" : "refs/tags/" + start_.tag));
    }
    const bool detached = start_.branch.empty() || !request_.commit.empty();
    if (!request_.commit.empty()) {
      SB_TRY(commit, wanted_commit());
    }
    if (detached) GIT_CHECK(git_repository_set_head_detached(repository, git_commit_id(commit.get())), "detach HEAD");
    return checkout(repository, reinterpret_cast<const git_object*>(commit.get()),
                    {.strategy = GIT_CHECKOUT_FORCE, .fresh = true}, tools_.output, "check out");
  }

  // Beyond what branches and tags reach, or the depth, a server may still give a commit whose full hash is known.
  Result<CommitHandle> wanted_commit() {
    auto found = find_commit(repository_.get(), request_.commit);
    if (found || found.error().code() != Errc::not_found) return found;
    if (request_.commit.size() == GIT_OID_SHA1_HEXSIZE) {
      const std::vector<std::string> specs{request_.commit};
      const auto options = session_->fetch_options(request_.depth);
      if (git_remote_fetch(remote_.get(), &StringArray(specs).get(), &options, "clone") == 0) {
        found = find_commit(repository_.get(), request_.commit);
        if (found) return found;
      }
    }
    return fail(Errc::not_found, "clone: commit '" + request_.commit + "' not found in the repository");
  }

  const Clone& request_;
  Tools& tools_;
  Repository repository_;
  std::unique_ptr<RemoteSession> session_;  // outlives remote_, which holds its callbacks
  Remote remote_;
  Start start_;
};

}  // namespace

Result<std::string> perform(const Clone& request, Tools& tools) {
  SB_TRY(auto target, Target::prepare(request.path));
  tools.output.target({request.path, target.existed()});
  SB_CHECK(Cloning(request, tools).run());
  target.keep();
  return "";
}

}  // namespace sebring::toolbox_git
