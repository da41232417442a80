#pragma once
#include "control/access.h"
#include "proxy/access.h"

namespace sebring::api {

namespace asio = boost::asio;

// What the proxy asks, answered by the control plane of this process.
class ProxyAccess final : public proxy::Access {
 public:
  // `secure`: browsers reach the platform by TLS, which decides the name of the login's cookie.
  ProxyAccess(control::AccessControl& access, bool secure) : access_(access), secure_(secure) {}
  asio::awaitable<Result<proxy::Sandbox>> find(std::string sandbox_id) override;
  std::optional<Result<proxy::Sandbox>> find_now(const std::string& sandbox_id) override;
  Entry entry_now(const std::string& sandbox_id, std::string_view bearer, std::string_view preview_token) override;
  asio::awaitable<Result<proxy::Grant>> authorize_bearer(std::string sandbox_id, std::string token,
                                                         std::string organization_id) override;
  asio::awaitable<Result<proxy::Grant>> authorize_preview_token(std::string sandbox_id, std::string token) override;
  asio::awaitable<Result<proxy::TokenUse>> resolve_signed_token(std::string token, std::uint16_t port) override;
  asio::awaitable<Result<proxy::TokenUse>> authorize_ssh(std::string token) override;
  asio::awaitable<Result<proxy::Grant>> authorize_session(std::string sandbox_id, net::RequestHead head) override;
  asio::awaitable<Result<void>> recheck(std::string sandbox_id, proxy::Grant grant) override;
  asio::awaitable<Result<std::string>> file_signing_key(std::string sandbox_id) override;
  asio::awaitable<Result<proxy::Resources>> resources(std::string sandbox_id) override;
  asio::awaitable<Result<proxy::Sandbox>> wake(std::string sandbox_id) override;
  void touch_activity(const std::string& sandbox_id) override { access_.touch_activity(sandbox_id); }

 private:
  control::AccessControl& access_;
  bool secure_;
};

}  // namespace sebring::api
