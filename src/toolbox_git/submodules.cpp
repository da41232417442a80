#include "toolbox_git/submodules.h"

#include "toolbox_git/git_error.h"
#include "toolbox_git/remote_session.h"

namespace sebring::toolbox_git {
namespace {

constexpr int kLevelsMax = 8;

int collect_name(git_submodule*, const char* name, void* payload) {
  static_cast<std::vector<std::string>*>(payload)->emplace_back(name);
  return 0;
}

Result<std::string> url_of(git_repository* repository, git_submodule* submodule) {
  const char* written = git_submodule_url(submodule);
  if (!written) return fail(Errc::invalid_argument, "it has no URL");
  Buffer resolved;
  GIT_CHECK(git_submodule_resolve_url(resolved.get(), repository, written), "resolve its URL");
  return std::string(resolved.text());
}

Result<void> check_url(const RepositoryUrl& url, const RepositoryUrl& parent) {
  const bool remote = url.scheme == Scheme::http || url.scheme == Scheme::https || url.scheme == Scheme::ssh;
  if (remote || (url.scheme == Scheme::local && parent.scheme == Scheme::local)) return {};
  return fail(Errc::invalid_argument, "URLs of this kind are not allowed in submodules: " + without_password(url.text));
}

Result<void> update_one(git_repository* repository, const std::string& name, const RepositoryUrl& parent,
                        const Clone& request, Tools& tools, int level) {
  Submodule submodule;
  GIT_CHECK(git_submodule_lookup(out(submodule), repository, name.c_str()), "find it");
  if (!git_submodule_head_id(submodule.get())) return {};  // named in .gitmodules, but not part of HEAD
  SB_TRY(const auto text, url_of(repository, submodule.get()));
  SB_TRY(const auto url, parse_repository_url(text));
  SB_CHECK(check_url(url, parent));
  const bool same_server = url.host == parent.host && url.scheme == parent.scheme && url.port == parent.port;
  {
    SB_TRY(auto session, RemoteSession::open(repository, tools.output, url.text,
                                             {same_server ? request.sign_in : SignIn{},
                                              request.insecure_skip_tls && same_server, tools.ca_file}));
    git_submodule_update_options options = GIT_SUBMODULE_UPDATE_OPTIONS_INIT;
    options.fetch_opts = session->fetch_options(url.scheme == Scheme::local ? 0 : request.depth);
    const int rc = git_submodule_update(submodule.get(), 1, &options);
    if (rc < 0) return std::unexpected(session->failure(rc, "clone from"));
  }
  Repository inner;
  GIT_CHECK(git_submodule_open(out(inner), submodule.get()), "open it");
  return update_submodules(inner.get(), url, request, tools, level + 1);
}

}  // namespace

Result<void> update_submodules(git_repository* repository, const RepositoryUrl& parent, const Clone& request,
                               Tools& tools, int level) {
  if (level >= kLevelsMax) return fail(Errc::invalid_argument, "submodules are nested too deeply");
  std::vector<std::string> names;
  GIT_CHECK(git_submodule_foreach(repository, collect_name, &names), "list submodules");
  for (const auto& name : names) {
    auto updated = update_one(repository, name, parent, request, tools, level);
    if (!updated) return std::unexpected(std::move(updated).error().while_doing("submodule " + name));
  }
  return {};
}

}  // namespace sebring::toolbox_git
