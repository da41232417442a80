#include "toolbox_git/remote_session.h"

#include <git2/sys/errors.h>
#include <unistd.h>

#include "base/text.h"
#include "toolbox_git/ca_bundle.h"
#include "toolbox_git/cancellation.h"
#include "toolbox_git/configuration.h"
#include "toolbox_git/credential_files.h"
#include "toolbox_git/environment.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/refused_file.h"

namespace sebring::toolbox_git {
namespace {

constexpr std::size_t kRemoteTextMax = 2048;
// A server may ask again (other methods, a stale nonce); a loop of questions is a refusal.
constexpr int kAttemptsMax = 4;

std::vector<std::string> readable_ssh_keys() {
  std::vector<std::string> keys;
  for (const char* name : {"id_rsa", "id_ecdsa", "id_ed25519"}) {  // tried from the end
    auto path = home_directory() + "/.ssh/" + name;
    if (::access(path.c_str(), R_OK) == 0) keys.push_back(std::move(path));
  }
  return keys;
}

std::string host_of(std::string_view url) {
  auto host = host_and_port(url);
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.rfind(':'));
}

std::string_view scheme_of(std::string_view url) { return url.substr(0, url.find("://")); }

bool mentions(const std::string& text, std::initializer_list<std::string_view> words) {
  for (const auto word : words)
    if (text.contains(word)) return true;
  return false;
}

}  // namespace

// The functions that libgit2 calls, with the session as payload.
struct RemoteCallbacks {
  static RemoteSession& session(void* payload) { return *static_cast<RemoteSession*>(payload); }

  static int credentials(git_credential** out, const char* url, const char* user, unsigned allowed, void* payload) {
    auto& self = session(payload);
    if (++self.attempts_ > 2 * kAttemptsMax) return self.no_credentials();
    const std::string_view name = user ? user : "";
    if (self.url_.scheme == Scheme::ssh) return self.acquire_ssh(out, name, allowed);
    return self.acquire_http(out, url, name, allowed);
  }
  static int certificate(git_cert* cert, int valid, const char*, void* payload) {
    return session(payload).judge_certificate(cert, valid != 0);
  }
  static int transfer(const git_indexer_progress* stats, void* payload) {
    const bool received = stats->received_objects >= stats->total_objects;
    session(payload).output_.progress(
        received ? "resolve" : "receive", received ? stats->indexed_deltas : stats->received_objects,
        received ? stats->total_deltas : stats->total_objects, static_cast<std::int64_t>(stats->received_bytes));
    return is_cancelled() ? GIT_EUSER : 0;
  }
  static int push_transfer(unsigned current, unsigned total, std::size_t bytes, void* payload) {
    session(payload).output_.progress("send", current, total, static_cast<std::int64_t>(bytes));
    return is_cancelled() ? GIT_EUSER : 0;
  }
  static int sideband(const char* text, int length, void* payload) {
    auto& kept = session(payload).remote_text_;
    kept.append(text, static_cast<std::size_t>(length));
    if (kept.size() > kRemoteTextMax) kept.erase(0, kept.size() - kRemoteTextMax);
    session(payload).output_.progress("remote", 0, 0, 0);
    return is_cancelled() ? GIT_EUSER : 0;
  }
  static int pushed(const char* reference, const char* status, void* payload) {
    session(payload).push_results_[reference] = status ? status : "";
    return 0;
  }
};

RemoteSession::RemoteSession(git_repository* repository, Output& output, RepositoryUrl url, RemoteSettings settings)
    : repository_(repository),
      output_(output),
      url_(std::move(url)),
      settings_(std::move(settings)),
      policy_(url_.host) {
  if (url_.scheme == Scheme::ssh) {
    ssh_keys_ = readable_ssh_keys();
  } else if (url_.scheme != Scheme::local) {
    connections_ = std::make_unique<PolicedConnections>(policy_);
  }
}

RemoteSession::~RemoteSession() = default;

Result<std::unique_ptr<RemoteSession>> RemoteSession::open(git_repository* repository, Output& output,
                                                           const std::string& url, RemoteSettings settings) {
  SB_TRY(auto parsed, parse_repository_url(url));
  std::unique_ptr<RemoteSession> session(new RemoteSession(repository, output, std::move(parsed), std::move(settings)));
  SB_CHECK(session->read_configuration());
  return session;
}

Result<void> RemoteSession::read_configuration() {
  SB_TRY(auto config, configuration_of(repository_));
  for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"})
    if (const auto value = environment_variable(name); !value.empty()) policy_.allow_proxy(host_of(value));
  for (const auto& value : config_values_matching(config.get(), "^(http|remote)\\..*proxy$"))
    policy_.allow_proxy(host_of(value));
  if (url_.scheme != Scheme::https && url_.scheme != Scheme::http) return {};
  if (config_boolean(config.get(), "http.sslverify") == std::optional(false)) settings_.insecure_skip_tls = true;
  auto bundle = settings_.ca_file;
  if (bundle.empty()) bundle = config_text(config.get(), "http.sslcainfo").value_or("");
  // http too: it may redirect to https.
  return settings_.insecure_skip_tls ? Result<void>() : load_trusted_certificates(bundle);
}

void RemoteSession::fill(git_remote_callbacks& callbacks) {
  callbacks.credentials = RemoteCallbacks::credentials;
  callbacks.certificate_check = RemoteCallbacks::certificate;
  callbacks.transfer_progress = RemoteCallbacks::transfer;
  callbacks.push_transfer_progress = RemoteCallbacks::push_transfer;
  callbacks.sideband_progress = RemoteCallbacks::sideband;
  callbacks.push_update_reference = RemoteCallbacks::pushed;
  callbacks.payload = this;
}

git_fetch_options RemoteSession::fetch_options(int depth) {
  git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
  fill(options.callbacks);
  options.depth = depth;
  options.proxy_opts.type = GIT_PROXY_AUTO;
  return options;
}

git_push_options RemoteSession::push_options() {
  git_push_options options = GIT_PUSH_OPTIONS_INIT;
  fill(options.callbacks);
  options.proxy_opts.type = GIT_PROXY_AUTO;
  return options;
}

git_remote_connect_options RemoteSession::connect_options() {
  git_remote_connect_options options = GIT_REMOTE_CONNECT_OPTIONS_INIT;
  fill(options.callbacks);
  options.proxy_opts.type = GIT_PROXY_AUTO;
  return options;
}

int RemoteSession::no_credentials() {
  if (auth_failure_ == AuthFailure::none) auth_failure_ = attempts_ > 1 ? AuthFailure::refused : AuthFailure::missing;
  git_error_set_str(GIT_ERROR_HTTP, "no more credentials to offer");
  return GIT_EAUTH;
}

int RemoteSession::acquire_http(git_credential** out, std::string_view url, std::string_view user, unsigned allowed) {
  if (!(allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT)) return no_credentials();
  // Asked again, or the URL itself held credentials, which libgit2 has tried: they were refused.
  if (attempts_ > 1) return no_credentials();
  auto sign_in = settings_.sign_in;
  // After a redirect another server asks; what the user gave is not meant for it.
  if (sign_in.empty() || host_of(url) != policy_.origin()) {
    auto stored = stored_credential(repository_, scheme_of(url), host_and_port(url), user);
    if (!stored) {
      if (without_password(url_.text) != url_.text) auth_failure_ = AuthFailure::refused;
      return no_credentials();
    }
    sign_in = *std::move(stored);
  }
  if (sign_in.username.empty()) sign_in.username = user.empty() ? "git" : std::string(user);
  policy_.signed_in();
  return git_credential_userpass_plaintext_new(out, sign_in.username.c_str(), sign_in.password.c_str());
}

int RemoteSession::acquire_ssh(git_credential** out, std::string_view user, unsigned allowed) {
  std::string name(user);
  if (name.empty()) name = settings_.sign_in.username.empty() ? "git" : settings_.sign_in.username;
  if (allowed & GIT_CREDENTIAL_USERNAME) return git_credential_username_new(out, name.c_str());
  if ((allowed & GIT_CREDENTIAL_SSH_KEY) && !ssh_keys_.empty()) {
    const auto key = std::move(ssh_keys_.back());
    ssh_keys_.pop_back();
    const auto& passphrase = settings_.sign_in.password;
    return git_credential_ssh_key_new(out, name.c_str(), nullptr, key.c_str(),
                                      passphrase.empty() ? nullptr : passphrase.c_str());
  }
  if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) && !settings_.sign_in.password.empty() && !ssh_password_tried_) {
    ssh_password_tried_ = true;
    return git_credential_userpass_plaintext_new(out, name.c_str(), settings_.sign_in.password.c_str());
  }
  return no_credentials();
}

int RemoteSession::judge_certificate(git_cert* certificate, bool valid) {
  if (valid) return 0;
  if (certificate->cert_type == GIT_CERT_X509) {
    if (settings_.insecure_skip_tls) return 0;
    certificate_problem_ = "the server's certificate is not trusted: " + last_error().message;
    return GIT_ECERTIFICATE;
  }
  certificate_problem_ = "the server's key is not in ~/.ssh/known_hosts, or another one is";
  if (certificate->cert_type == GIT_CERT_HOSTKEY_LIBSSH2) {
    const auto& key = reinterpret_cast<const git_cert_hostkey&>(*certificate);
    if (key.type & GIT_CERT_SSH_SHA256) {
      auto digest = base64_encode({reinterpret_cast<const char*>(key.hash_sha256), sizeof key.hash_sha256});
      while (digest.ends_with('=')) digest.pop_back();
      certificate_problem_ += "; it is SHA256:" + digest;
    }
  }
  return GIT_ECERTIFICATE;
}

std::string RemoteSession::hidden(std::string text) const {
  const auto& secret = settings_.sign_in.password;
  if (secret.empty()) return text;
  for (auto at = text.find(secret); at != text.npos; at = text.find(secret, at + 3))
    text.replace(at, secret.size(), "***");
  return text;
}

Error RemoteSession::failure(int rc, std::string_view doing) const {
  const auto last = last_error();
  const std::string start = std::string(doing) + " " + without_password(url_.text) + ": ";
  const auto transport = [&](const std::string& why) {
    return Error(Errc::bad_gateway, start + why).tagged(kTransportFailed);
  };
  const auto not_found = [&](const std::string& why) {
    return Error(Errc::not_found, start + why).tagged(kRepoNotFound);
  };
  const auto unauthorized = [&](const std::string& why) {
    return Error(Errc::unauthorized, start + why).tagged(kAuthFailed);
  };
  if (is_cancelled()) return Error(Errc::cancelled, start + "cancelled");
  if (!policy_.refusal().empty()) return transport(policy_.refusal());
  if (!certificate_problem_.empty()) return transport(certificate_problem_);
  if (auth_failure_ == AuthFailure::missing)
    return unauthorized("authentication required, and there are no credentials for it");
  if (last.error_class == GIT_ERROR_OS && !refused_file().empty())
    return git_failure(rc, std::string(doing) + " " + without_password(url_.text));
  const int status = http_status_in(last.message);
  if (auth_failure_ == AuthFailure::refused || rc == GIT_EAUTH || status == 401 || status == 403)
    return unauthorized("the server refused the credentials" + (status ? " with " + std::to_string(status) : ""));
  if (status == 404 || status == 410) return not_found("repository not found");
  if (last.error_class == GIT_ERROR_HTTP && last.message.starts_with("invalid content-type"))
    return not_found("this is not a git repository (" + last.message + ")");
  // libgit2 adds an errno that has nothing to do with it.
  if (last.message.starts_with("SSL error: syscall failure"))
    return transport("the connection ended in the middle of TLS");
  auto message = last.message;
  const auto said = trim(remote_text_);
  if (url_.scheme != Scheme::http && url_.scheme != Scheme::https) {
    if (mentions(message,
                 {"not found", "does not exist", "does not appear to be a git", "No such file",
                  "failed to resolve path", "could not find repository", "unsupported URL protocol", "not exported"}))
      return not_found(hidden(message));
    if (url_.scheme == Scheme::ssh &&
        mentions(message, {"ermission denied", "authenticat", "Unable to extract public key"}))
      return unauthorized(hidden(message));
  }
  if (url_.scheme == Scheme::ssh && rc == GIT_EEOF)
    return not_found("the server ended the session: repository not found?");
  if (!said.empty()) message += " (server: " + to_valid_utf8(said) + ")";
  const auto error = git_failure(rc, doing);
  if (error.code() == Errc::invalid_argument && last.error_class != GIT_ERROR_INVALID)
    return transport(hidden(message));
  if (last.message.starts_with("failed to connect to"))
    return transport(hidden(message));  // reported as a system error
  return Error(error.code(), start + hidden(message)).tagged(error.tag());
}

}  // namespace sebring::toolbox_git
