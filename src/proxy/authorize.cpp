#include "proxy/authorize.h"

#include "base/text.h"
#include "proxy/headers.h"

namespace sebring::proxy {
namespace {

// Keeps what tells the asker most: a failure of ours, then "not there for you", then "bad".
class Failures {
 public:
  void add(Error error) {
    if (!worst_ || rank(error.code()) > rank(worst_->code())) worst_ = std::move(error);
  }
  std::unexpected<Error> result() && {
    if (!worst_) {
      return fail(Errc::unauthorized,
                  "missing authentication: provide a preview access token (via header, query parameter, or cookie) or "
                  "use an API key or JWT");
    }
    if (worst_->code() == Errc::unauthorized) return fail(std::move(*worst_).while_doing("authentication failed"));
    return fail(std::move(*worst_));
  }

 private:
  static int rank(Errc code) {
    if (code == Errc::unauthorized) return 0;
    if (code == Errc::not_found || code == Errc::forbidden) return 1;
    return 2;
  }
  std::optional<Error> worst_;
};

}  // namespace

bool cookie_may_count(const net::RequestHead& request, std::string_view origin) {
  if (auto from = request.headers.find("Origin"); from && *from != origin) return false;
  const auto site = request.headers.find("Sec-Fetch-Site");
  if (!site || *site == "same-origin" || *site == "none") return true;
  // A link that somebody followed. Without Origin it is a GET or HEAD.
  return request.headers.find("Sec-Fetch-Mode").value_or("") == "navigate";
}

bool looks_like_our_key(std::string_view token) {
  return token.size() == 68 && token.starts_with("dtn_") &&
         token.find_first_not_of("0123456789abcdef", 4) == std::string_view::npos;
}

Bearer judge_bearer(std::string_view token) {
  if (looks_like_our_key(token)) return Bearer::ours;
  return token.starts_with("eyJ") ? Bearer::perhaps_ours : Bearer::foreign;
}

asio::awaitable<Result<Authorized>> authorize(Access& access, const net::RequestHead& request, std::string sandbox_id,
                                              const CookieRule* cookie) {
  Failures failures;
  Authorized authorized;
  if (std::string token = bearer_token(request.headers); !token.empty()) {
    authorized.bearer_is_ours = looks_like_our_key(token);
    std::string organization(request.headers.find("X-Daytona-Organization-ID").value_or(""));
    auto grant = co_await access.authorize_bearer(sandbox_id, std::move(token), std::move(organization));
    if (grant || grant.error().code() != Errc::unauthorized) authorized.bearer_is_ours = true;
    if (grant) {
      authorized.way = Authorized::Way::bearer;
      authorized.grant = std::move(*grant);
      co_return authorized;
    }
    failures.add(std::move(grant.error()));
  }
  if (auto token = request.headers.find(kPreviewTokenHeader); token && !token->empty()) {
    auto grant = co_await access.authorize_preview_token(sandbox_id, std::string(*token));
    if (grant) {
      authorized.way = Authorized::Way::token_header;
      authorized.grant = std::move(*grant);
      co_return authorized;
    }
    failures.add(std::move(grant.error()));
  }
  if (request.query.find(kQueryKey) != std::string::npos) {
    const net::Query query(request.query);
    if (auto token = query.find(kQueryKey); token && !token->empty()) {
      auto grant = co_await access.authorize_preview_token(sandbox_id, std::string(*token));
      if (grant) {
        authorized.way = Authorized::Way::query_key;
        authorized.grant = std::move(*grant);
        co_return authorized;
      }
      failures.add(std::move(grant.error()));
    }
  }
  if (cookie) {
    if (auto value = find_cookie(request.headers, cookie->name); value && cookie_may_count(request, cookie->origin)) {
      if (auto pass = cookie->signer.open(*value, sandbox_id, cookie->audience, system_clock().wall_ms())) {
        auto stands = co_await access.recheck(sandbox_id, pass->grant);
        if (stands) {
          authorized.way = Authorized::Way::cookie;
          authorized.grant = std::move(pass->grant);
          co_return authorized;
        }
        failures.add(std::move(stands.error()));
      }
    }
  }
  co_return std::move(failures).result();
}

}  // namespace sebring::proxy
