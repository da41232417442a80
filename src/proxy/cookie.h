#pragma once
// Signed values that a visitor keeps for us: the cookie of a preview, and the short-lived ticket that carries a login
// from the platform's host to a preview's host.
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "proxy/access.h"

namespace sebring::proxy {

constexpr std::chrono::seconds kCookieTime{3600};
constexpr std::string_view kCookiePrefix = "daytona-sandbox-auth-";

struct Pass {
  std::string sandbox_id;
  std::string audience;  // exact host (and path prefix) that it is for
  Grant grant;
  WallMs expires_at = 0;
};

class PassSigner {
 public:
  // `secret`: at least 32 bytes that survive restarts. `purpose` keeps cookies and tickets apart.
  PassSigner(std::string secret, std::string purpose);

  std::string sign(const Pass& pass) const;
  // nullopt unless the signature fits, it is for this sandbox and audience, and `now` is before its end. Whether the
  // grant still stands is another question (Access::recheck).
  std::optional<Pass> open(std::string_view text, std::string_view sandbox_id, std::string_view audience,
                           WallMs now) const;

 private:
  std::string key_;
};

// Bytes of HMAC-SHA256.
std::string hmac_sha256(std::string_view key, std::string_view data);

// Value of Set-Cookie: host-only, HttpOnly, SameSite=Lax, Secure under TLS.
std::string set_cookie(std::string_view name, std::string_view value, std::chrono::seconds age, std::string_view path,
                       bool secure);

}  // namespace sebring::proxy
