#pragma once
// The pages on which somebody with a browser logs in and out, at the platform's own host: /login and /logout.
#include "control/login.h"
#include "net/exchange.h"

namespace sebring::api {

namespace asio = boost::asio;

// Name of the cookie. Under TLS the prefix keeps it this host's alone: a preview's page, whose host may lie below the
// platform's, can not plant one.
std::string_view login_cookie_name(bool secure);
// The hash of the session that the request's cookie names; nullopt without one.
std::optional<std::string> login_hash_of(const net::RequestHead& request, bool secure);

class LoginPages {
 public:
  // `public_url`: where browsers reach this server. `preview_domain`: where a login may lead back to.
  LoginPages(control::Control& control, control::Authenticator& authenticator, std::string public_url,
             std::string preview_domain);

  static bool wants(const net::RequestHead& request) { return request.path == "/login" || request.path == "/logout"; }
  // Answers in every case.
  asio::awaitable<void> handle(net::Exchange& exchange);

 private:
  asio::awaitable<net::Response> answer(net::Exchange& exchange);
  asio::awaitable<net::Response> show(const net::RequestHead& request);
  asio::awaitable<net::Response> log_in(net::Exchange& exchange);
  asio::awaitable<net::Response> log_out(const net::RequestHead& request);
  net::Response form(int status, std::string_view problem, std::string_view redirect) const;
  net::Response page(int status, std::string_view content) const;
  bool is_secure() const { return origin_.starts_with("https://"); }

  control::Control& control_;
  control::Authenticator& authenticator_;
  std::string origin_;  // as browsers write it in Origin
  std::string url_;
  std::string preview_source_;
};

}  // namespace sebring::api
