#pragma once
// A control plane of nothing but tables, for tests.
#include <map>
#include <set>

#include "proxy/access.h"

namespace sebring::proxy {

class FakeAccess final : public Access {
 public:
  std::map<std::string, Sandbox> sandboxes;
  std::map<std::string, std::set<std::string>> keys;  // API key -> sandboxes it may use
  std::map<std::string, std::string> preview_tokens;  // sandbox -> token of its run
  std::map<std::string, TokenUse> signed_tokens;      // "port/token"
  std::map<std::string, TokenUse> ssh_tokens;
  std::map<std::string, std::string> file_keys;           // sandbox -> key
  std::map<std::string, std::set<std::string>> sessions;  // value of the cookie `session` -> sandboxes
  std::map<std::string, int> touches;
  std::map<std::string, Resources> resources_of;  // by sandbox
  bool wakes = false;

  asio::awaitable<Result<Sandbox>> find(std::string sandbox_id) override { co_return *find_now(sandbox_id); }
  std::optional<Result<Sandbox>> find_now(const std::string& sandbox_id) override {
    auto found = sandboxes.find(sandbox_id);
    if (found != sandboxes.end()) return found->second;
    return fail(Errc::not_found, "Sandbox with ID or name " + sandbox_id + " not found");
  }
  Entry entry_now(const std::string& sandbox_id, std::string_view bearer, std::string_view preview_token) override {
    auto found = sandboxes.find(sandbox_id);
    if (found == sandboxes.end() || !found->second.started || found->second.warning_page) return Entry::ask;
    if (found->second.is_public) return Entry::open;
    if (!bearer.empty()) {
      auto key = keys.find(std::string(bearer));
      return key != keys.end() && key->second.contains(sandbox_id) ? Entry::by_bearer : Entry::ask;
    }
    auto token = preview_tokens.find(sandbox_id);
    return token != preview_tokens.end() && token->second == preview_token ? Entry::by_preview_token : Entry::ask;
  }
  asio::awaitable<Result<Grant>> authorize_bearer(std::string sandbox_id, std::string token, std::string) override {
    auto found = keys.find(token);
    if (found == keys.end()) co_return fail(Errc::unauthorized, "Invalid credentials");
    if (!found->second.contains(sandbox_id)) {
      co_return fail(Errc::not_found, "Sandbox with ID or name " + sandbox_id + " not found");
    }
    co_return Grant{Grant::Kind::key, token};
  }
  asio::awaitable<Result<Grant>> authorize_preview_token(std::string sandbox_id, std::string token) override {
    auto found = preview_tokens.find(sandbox_id);
    if (found == preview_tokens.end() || found->second != token) {
      co_return fail(Errc::unauthorized, "Invalid or expired token");
    }
    co_return Grant{Grant::Kind::preview_token, token};
  }
  asio::awaitable<Result<TokenUse>> resolve_signed_token(std::string token, std::uint16_t port) override {
    auto found = signed_tokens.find(std::to_string(port) + "/" + token);
    if (found == signed_tokens.end() || is_over(found->second)) {
      co_return fail(Errc::unauthorized, "Invalid or expired token");
    }
    co_return found->second;
  }
  asio::awaitable<Result<TokenUse>> authorize_ssh(std::string token) override {
    auto found = ssh_tokens.find(token);
    if (found == ssh_tokens.end() || is_over(found->second)) {
      co_return fail(Errc::unauthorized, "Invalid or expired token");
    }
    co_return found->second;
  }
  asio::awaitable<Result<Grant>> authorize_session(std::string sandbox_id, net::RequestHead head) override {
    const std::string cookie(head.headers.find("Cookie").value_or(""));
    for (const auto& [name, allowed] : sessions) {
      if (cookie.find("session=" + name) == std::string::npos) continue;
      if (allowed.contains(sandbox_id)) co_return Grant{Grant::Kind::user, name};
      co_return fail(Errc::not_found, "Sandbox with ID or name " + sandbox_id + " not found");
    }
    co_return fail(Errc::unauthorized, "not logged in");
  }
  asio::awaitable<Result<void>> recheck(std::string sandbox_id, Grant grant) override {
    bool stands = false;
    switch (grant.kind) {
      case Grant::Kind::key:
        stands = keys.contains(grant.reference) && keys[grant.reference].contains(sandbox_id);
        break;
      case Grant::Kind::user:
        stands = sessions.contains(grant.reference) && sessions[grant.reference].contains(sandbox_id);
        break;
      case Grant::Kind::preview_token:
        stands = preview_tokens.contains(sandbox_id) && preview_tokens[sandbox_id] == grant.reference;
        break;
      case Grant::Kind::signed_token:
        stands = holds(signed_tokens, grant.reference);
        break;
      case Grant::Kind::ssh_token:
        stands = holds(ssh_tokens, grant.reference);
        break;
      case Grant::Kind::file_signature:
      case Grant::Kind::none:
        stands = true;
        break;
    }
    if (!stands) co_return fail(Errc::unauthorized, "Invalid or expired token");
    co_return Result<void>{};
  }
  asio::awaitable<Result<std::string>> file_signing_key(std::string sandbox_id) override {
    auto found = file_keys.find(sandbox_id);
    if (found == file_keys.end()) co_return fail(Errc::not_found, "no signing key");
    co_return found->second;
  }
  asio::awaitable<Result<Resources>> resources(std::string sandbox_id) override {
    auto found = resources_of.find(sandbox_id);
    if (found == resources_of.end()) co_return fail(Errc::unavailable, "no runner");
    co_return found->second;
  }
  asio::awaitable<Result<Sandbox>> wake(std::string sandbox_id) override {
    auto found = sandboxes.find(sandbox_id);
    if (!wakes || found == sandboxes.end()) co_return fail(Errc::conflict, "not woken by requests");
    found->second.started = true;
    found->second.state = "started";
    co_return found->second;
  }
  void touch_activity(const std::string& sandbox_id) override { ++touches[sandbox_id]; }

 private:
  static bool is_over(const TokenUse& use) { return use.expires_at != 0 && system_clock().wall_ms() >= use.expires_at; }
  static bool holds(const std::map<std::string, TokenUse>& tokens, const std::string& key) {
    auto found = tokens.find(key);
    return found != tokens.end() && !is_over(found->second);
  }
};

}  // namespace sebring::proxy
