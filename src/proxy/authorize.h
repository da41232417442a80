#pragma once
// By which of several credentials a request comes in. The order is part of the wire: bearer, preview token header,
// query key, cookie. A present but bad one falls through to the next.
#include "proxy/access.h"
#include "proxy/cookie.h"

namespace sebring::proxy {

constexpr std::string_view kPreviewTokenHeader = "X-Daytona-Preview-Token";
constexpr std::string_view kQueryKey = "DAYTONA_SANDBOX_AUTH_KEY";

struct Authorized {
  enum class Way { bearer, token_header, query_key, cookie, public_sandbox, signed_token, signed_url };
  Way way = Way::bearer;
  Grant grant;
  // The Authorization header is one of ours and must not go on, whichever way let the request in.
  bool bearer_is_ours = false;
};

// Where a cookie counts as a credential. Not given: nowhere.
struct CookieRule {
  const PassSigner& signer;
  std::string name;
  std::string audience;
  std::string origin;  // of the place itself, "https://3000-....example": what a page of ours sends as Origin
};

// Whether the browser says that the request comes from a page of `origin` itself or from a visitor's own navigation. A
// cookie of anybody else's page is not a credential: neighbouring previews are the same site to SameSite.
bool cookie_may_count(const net::RequestHead& request, std::string_view origin);

// Whether the text has the form of this platform's API keys.
bool looks_like_our_key(std::string_view token);
// What can be said of a bearer token by its form: one that may be ours has to be asked about.
enum class Bearer { foreign, ours, perhaps_ours };
Bearer judge_bearer(std::string_view token);

// Errc::unauthorized with what is missing or wrong; Errc::not_found for somebody of ours without access; whatever the
// control plane failed with, when no way led in.
asio::awaitable<Result<Authorized>> authorize(Access& access, const net::RequestHead& request, std::string sandbox_id,
                                              const CookieRule* cookie);

}  // namespace sebring::proxy
