#pragma once
// One talk with one server: who we are, whom we trust, where we may connect, how far it got, and what an error means.
#include <git2.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "toolbox_git/connection.h"
#include "toolbox_git/handles.h"
#include "toolbox_git/output.h"
#include "toolbox_git/request.h"
#include "toolbox_git/url.h"

namespace sebring::toolbox_git {

struct RemoteSettings {
  SignIn sign_in;
  bool insecure_skip_tls = false;
  std::string ca_file;  // see Job
};

// libgit2 keeps pointers to it while options that it gave are in use. One at a time.
class RemoteSession {
 public:
  // `repository` gives the configuration (proxy, certificates, credential store); it and `output` must outlive the
  // session. Fails for a URL of a scheme that is not supported and for unreadable certificates.
  static Result<std::unique_ptr<RemoteSession>> open(git_repository* repository, Output& output, const std::string& url,
                                                     RemoteSettings settings);
  ~RemoteSession();
  RemoteSession(const RemoteSession&) = delete;
  RemoteSession& operator=(const RemoteSession&) = delete;

  git_fetch_options fetch_options(int depth = 0);
  git_push_options push_options();
  git_remote_connect_options connect_options();

  // The error of a call on this session's remote that returned `rc` < 0.
  Error failure(int rc, std::string_view doing) const;
  // What the server said of each pushed reference; empty text: accepted.
  const std::map<std::string, std::string>& push_results() const { return push_results_; }
  // Text that the server sent for people, its last part.
  const std::string& remote_text() const { return remote_text_; }
  const RepositoryUrl& url() const { return url_; }

 private:
  enum class AuthFailure { none, missing, refused };

  RemoteSession(git_repository* repository, Output& output, RepositoryUrl url, RemoteSettings settings);
  Result<void> read_configuration();
  void fill(git_remote_callbacks& callbacks);

  int acquire_http(git_credential** out, std::string_view url, std::string_view user, unsigned allowed);
  int acquire_ssh(git_credential** out, std::string_view user, unsigned allowed);
  int no_credentials();
  int judge_certificate(git_cert* certificate, bool valid);
  std::string hidden(std::string text) const;

  git_repository* repository_;
  Output& output_;
  RepositoryUrl url_;
  RemoteSettings settings_;
  ConnectionPolicy policy_;
  std::unique_ptr<PolicedConnections> connections_;

  std::vector<std::string> ssh_keys_;  // private keys not tried yet, last first
  bool ssh_password_tried_ = false;
  int attempts_ = 0;
  AuthFailure auth_failure_ = AuthFailure::none;
  std::string certificate_problem_;
  std::map<std::string, std::string> push_results_;
  std::string remote_text_;

  friend struct RemoteCallbacks;
};

}  // namespace sebring::toolbox_git
