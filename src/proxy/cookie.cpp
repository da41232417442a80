#include "proxy/cookie.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/text.h"

namespace sebring::proxy {
namespace {

constexpr char kSeparator = '\n';

std::string payload_of(const Pass& pass) {
  std::string text = "1";
  text += kSeparator;
  text += pass.sandbox_id;
  text += kSeparator;
  text += pass.audience;
  text += kSeparator;
  text += static_cast<char>(pass.grant.kind);
  text += kSeparator;
  text += pass.grant.reference;
  text += kSeparator;
  text += std::to_string(pass.expires_at);
  return text;
}

bool is_grant_kind(char c) { return std::string_view("-kupsfh").find(c) != std::string_view::npos; }

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view data) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()),
       data.size(), mac, &length);
  return {reinterpret_cast<char*>(mac), length};
}

PassSigner::PassSigner(std::string secret, std::string purpose) : key_(hmac_sha256(secret, purpose)) {
  SB_ASSERT(secret.size() >= 32);
}

std::string PassSigner::sign(const Pass& pass) const {
  // The separator is what keeps fields apart: nothing that is signed may hold one.
  SB_ASSERT(pass.sandbox_id.find(kSeparator) == std::string::npos);
  SB_ASSERT(pass.audience.find(kSeparator) == std::string::npos);
  SB_ASSERT(pass.grant.reference.find(kSeparator) == std::string::npos);
  const std::string payload = payload_of(pass);
  return base64url_encode(payload) + "." + base64url_encode(hmac_sha256(key_, payload));
}

std::optional<Pass> PassSigner::open(std::string_view text, std::string_view sandbox_id, std::string_view audience,
                                     WallMs now) const {
  constexpr std::size_t kBytesMax = 2048;
  const std::size_t dot = text.find('.');
  if (text.size() > kBytesMax || dot == std::string_view::npos) return std::nullopt;
  const auto payload = base64_decode(text.substr(0, dot));
  const auto mac = base64_decode(text.substr(dot + 1));
  if (!payload || !mac || !constant_time_equal(*mac, hmac_sha256(key_, *payload))) return std::nullopt;
  const auto fields = split(*payload, kSeparator);
  if (fields.size() != 6 || fields[0] != "1" || fields[3].size() != 1 || !is_grant_kind(fields[3][0])) {
    return std::nullopt;
  }
  const auto expires_at = parse_integer(fields[5]);
  if (!expires_at || now >= *expires_at) return std::nullopt;
  if (fields[1] != sandbox_id || fields[2] != audience) return std::nullopt;
  return Pass{.sandbox_id = std::string(fields[1]),
              .audience = std::string(fields[2]),
              .grant = {.kind = static_cast<Grant::Kind>(fields[3][0]), .reference = std::string(fields[4])},
              .expires_at = *expires_at};
}

std::string set_cookie(std::string_view name, std::string_view value, std::chrono::seconds age, std::string_view path,
                       bool secure) {
  std::string text(name);
  text += '=';
  text += value;
  text += "; Path=";
  text += path;
  text += "; Max-Age=" + std::to_string(age.count()) + "; HttpOnly; SameSite=Lax";
  if (secure) text += "; Secure";
  return text;
}

}  // namespace sebring::proxy
