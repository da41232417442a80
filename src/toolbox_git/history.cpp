#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox_git/commit.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/repository.h"
#include "toolbox_git/timestamp.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;
namespace {

std::string text(const char* raw) { return to_valid_utf8(raw ? raw : ""); }

std::string render(const git_commit* commit) {
  const git_signature* author = git_commit_author(commit);
  return json::serialize(bj::object{{"hash", hex(*git_commit_id(commit))},
                                    {"author", text(author->name)},
                                    {"email", text(author->email)},
                                    {"message", text(git_commit_message(commit))},
                                    {"timestamp", timestamp(author->when.time, author->when.offset)}});
}

}  // namespace

// Newest first, children before their parents. Written while walking: a history may be longer than memory.
Result<std::string> perform(const History& request, Tools& tools) {
  SB_TRY(auto repository, open_repository(request.path));
  SB_TRY(auto head, head_commit(repository.get()));
  if (!head) return "[]";
  Revwalk walk;
  GIT_CHECK(git_revwalk_new(out(walk), repository.get()), "read the history");
  GIT_CHECK(git_revwalk_sorting(walk.get(), GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME), "read the history");
  GIT_CHECK(git_revwalk_push(walk.get(), git_commit_id(head.get())), "read the history");
  bool first = true;
  git_oid id;
  while (true) {
    const int rc = git_revwalk_next(&id, walk.get());
    if (rc == GIT_ITEROVER) break;
    GIT_CHECK(rc, "read the history");
    CommitHandle commit;
    GIT_CHECK(git_commit_lookup(out(commit), repository.get(), &id), "read the history");
    if (first) tools.output.done();
    tools.output.body(first ? "[" : ",");
    tools.output.body(render(commit.get()));
    first = false;
  }
  tools.output.body("]");
  return "";
}

}  // namespace sebring::toolbox_git
