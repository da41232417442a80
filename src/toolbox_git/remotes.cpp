#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"
#include "toolbox_git/remote_session.h"
#include "toolbox_git/repository.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;
namespace {

Result<void> fetch(git_repository* repository, git_remote* remote, Tools& tools) {
  SB_TRY(auto session,
         RemoteSession::open(repository, tools.output, git_remote_url(remote), {{}, false, tools.ca_file}));
  const auto options = session->fetch_options();
  const int rc = git_remote_fetch(remote, nullptr, &options, nullptr);
  if (rc < 0) return std::unexpected(session->failure(rc, "fetch from"));
  return {};
}

}  // namespace

Result<std::string> perform(const ListRemotes& request, Tools&) {
  SB_TRY(auto repository, open_repository(request.path));
  git_strarray names{};
  GIT_CHECK(git_remote_list(&names, repository.get()), "list remotes");
  bj::array remotes;
  for (std::size_t i = 0; i < names.count; ++i) {
    Remote remote;
    if (git_remote_lookup(out(remote), repository.get(), names.strings[i]) != 0) continue;
    const char* url = git_remote_url(remote.get());
    remotes.push_back(bj::object{{"name", to_valid_utf8(names.strings[i])},
                                 {"url", to_valid_utf8(without_password(url ? url : ""))}});
  }
  git_strarray_dispose(&names);
  return json::serialize(bj::object{{"remotes", std::move(remotes)}});
}

Result<std::string> perform(const AddRemote& request, Tools& tools) {
  SB_TRY(auto repository, open_repository(request.path));
  int valid = 0;
  GIT_CHECK(git_remote_name_is_valid(&valid, request.name.c_str()), "check the remote's name");
  if (!valid) return fail(Errc::invalid_argument, "'" + request.name + "' is not a valid name for a remote");
  Remote remote;
  int rc = git_remote_lookup(out(remote), repository.get(), request.name.c_str());
  if (rc == 0) {
    if (!request.overwrite) return fail(Errc::conflict, "remote '" + request.name + "' exists already");
    remote.reset();
    GIT_CHECK(git_remote_delete(repository.get(), request.name.c_str()), "replace remote " + request.name);
  }
  rc = git_remote_create(out(remote), repository.get(), request.name.c_str(), request.url.c_str());
  GIT_CHECK(rc, "add remote " + request.name);
  if (request.fetch) SB_CHECK(fetch(repository.get(), remote.get(), tools));
  return "";
}

}  // namespace sebring::toolbox_git
