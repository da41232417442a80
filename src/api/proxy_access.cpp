#include "api/proxy_access.h"

#include "api/login_pages.h"

namespace sebring::api {
namespace {

using proxy::Grant;

proxy::Sandbox for_proxy(const control::Reach& reach) {
  return {.id = reach.id,
          .state = std::string(model::to_text(reach.state)),
          .started = !reach.socket.empty(),
          .toolbox_socket = reach.socket,
          .is_public = reach.is_public,
          .warning_page = reach.has_warning,
          .patience = std::chrono::milliseconds(reach.patience_ms)};
}

Result<proxy::Sandbox> for_proxy(Result<control::Reach> reach) {
  if (!reach) return std::unexpected(std::move(reach).error());
  return for_proxy(*reach);
}

Result<proxy::TokenUse> for_proxy(Result<control::TokenUse> use, Grant::Kind kind) {
  if (!use) return std::unexpected(std::move(use).error());
  return proxy::TokenUse{use->sandbox_id, {kind, use->hash}, use->expires_at};
}

Result<Grant> for_proxy(Result<std::string> reference, Grant::Kind kind) {
  if (!reference) return std::unexpected(std::move(reference).error());
  return Grant{kind, *reference};
}

}  // namespace

asio::awaitable<Result<proxy::Sandbox>> ProxyAccess::find(std::string sandbox_id) {
  co_return for_proxy(co_await access_.find(std::move(sandbox_id)));
}

std::optional<Result<proxy::Sandbox>> ProxyAccess::find_now(const std::string& sandbox_id) {
  auto found = access_.find_now(sandbox_id);
  if (!found) return std::nullopt;
  return for_proxy(*std::move(found));
}

proxy::Access::Entry ProxyAccess::entry_now(const std::string& sandbox_id, std::string_view bearer,
                                            std::string_view preview_token) {
  if (access_.is_open_now(sandbox_id)) return Entry::open;
  if (!bearer.empty()) return access_.admits_key_now(sandbox_id, bearer) ? Entry::by_bearer : Entry::ask;
  if (preview_token.empty()) return Entry::ask;
  return access_.admits_run_token_now(sandbox_id, preview_token) ? Entry::by_preview_token : Entry::ask;
}

asio::awaitable<Result<Grant>> ProxyAccess::authorize_bearer(std::string sandbox_id, std::string token, std::string) {
  co_return for_proxy(co_await access_.authorize_key(std::move(sandbox_id), std::move(token)), Grant::Kind::key);
}

asio::awaitable<Result<Grant>> ProxyAccess::authorize_preview_token(std::string sandbox_id, std::string token) {
  co_return for_proxy(co_await access_.authorize_run_token(std::move(sandbox_id), std::move(token)),
                      Grant::Kind::preview_token);
}

asio::awaitable<Result<proxy::TokenUse>> ProxyAccess::resolve_signed_token(std::string token, std::uint16_t port) {
  co_return for_proxy(co_await access_.use_preview_link(std::move(token), port), Grant::Kind::signed_token);
}

asio::awaitable<Result<proxy::TokenUse>> ProxyAccess::authorize_ssh(std::string token) {
  co_return for_proxy(co_await access_.use_ssh_token(std::move(token)), Grant::Kind::ssh_token);
}

asio::awaitable<Result<Grant>> ProxyAccess::authorize_session(std::string sandbox_id, net::RequestHead head) {
  auto hash = login_hash_of(head, secure_);
  if (!hash) co_return fail(Errc::unauthorized, "not logged in");
  SB_CO_CHECK(co_await access_.authorize_login(std::move(sandbox_id), *hash));
  co_return Grant{Grant::Kind::user, *hash};
}

asio::awaitable<Result<void>> ProxyAccess::recheck(std::string sandbox_id, Grant grant) {
  switch (grant.kind) {
    case Grant::Kind::key:
      co_return co_await access_.recheck_key(std::move(sandbox_id), std::move(grant.reference));
    case Grant::Kind::preview_token:
      co_return co_await access_.recheck_run_token(std::move(sandbox_id), std::move(grant.reference));
    case Grant::Kind::signed_token:
      co_return co_await access_.recheck_token(model::AccessToken::Kind::preview, std::move(sandbox_id),
                                               std::move(grant.reference));
    case Grant::Kind::ssh_token:
      co_return co_await access_.recheck_token(model::AccessToken::Kind::ssh, std::move(sandbox_id),
                                               std::move(grant.reference));
    case Grant::Kind::none: {
      SB_CO_TRY(auto reach, co_await access_.find(std::move(sandbox_id)));
      if (reach.is_public) co_return Result<void>{};
      break;
    }
    case Grant::Kind::file_signature:
      // Checked with its expiry at each request; a transfer under way ends with its sandbox.
      co_return Result<void>{};
    case Grant::Kind::user:
      co_return co_await access_.authorize_login(std::move(sandbox_id), std::move(grant.reference));
  }
  co_return fail(Errc::unauthorized, "Invalid or expired token");
}

asio::awaitable<Result<std::string>> ProxyAccess::file_signing_key(std::string sandbox_id) {
  co_return co_await access_.signing_key(std::move(sandbox_id));
}

asio::awaitable<Result<proxy::Resources>> ProxyAccess::resources(std::string sandbox_id) {
  SB_CO_TRY(const auto known, co_await access_.resources(std::move(sandbox_id)));
  co_return proxy::Resources{
      .cpus = known.cpus, .disk_bytes = known.disk_bytes, .disk_used_bytes = known.disk_used_bytes};
}

asio::awaitable<Result<proxy::Sandbox>> ProxyAccess::wake(std::string sandbox_id) {
  co_return for_proxy(co_await access_.wake(std::move(sandbox_id)));
}

}  // namespace sebring::api
