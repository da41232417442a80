#include "control/authenticate.h"

#include <openssl/sha.h>

#include "base/text.h"

namespace sebring::control {
namespace {

constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::size_t kKnownMax = 10'000;
// "Last used" is for people: a minute is exact enough, and a write per request is not.
constexpr std::int64_t kTouchEveryMs = 60'000;

std::unexpected<Error> invalid() { return fail(Errc::unauthorized, "Invalid credentials"); }

}  // namespace

std::string sha256_hex(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * sizeof digest);
  for (unsigned char byte : digest) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

asio::awaitable<Result<Caller>> Authenticator::authenticate(std::string token) {
  if (token.empty() || token.size() > kTokenBytesMax) co_return invalid();
  co_return co_await authenticate_hash(sha256_hex(token));
}

asio::awaitable<Result<Caller>> Authenticator::authenticate_hash(std::string hash) {
  auto known = known_.find(hash);
  if (known == known_.end()) {
    auto found = co_await control_.store.api_keys.find_by_hash(hash);
    if (!found) co_return fail(Errc::unavailable, "Temporary authentication service error");
    // The index compares hashes, whose timing tells nothing of the key; this is for the rule's sake.
    if (!*found || !constant_time_equal((*found)->hash, hash)) co_return invalid();
    if (known_.size() >= kKnownMax) known_.clear();
    known = known_.emplace(hash, std::move(**found)).first;
  }
  model::ApiKey& key = known->second;
  if (!use(key)) co_return invalid();
  co_return Caller{key.organization_id, key.user_id, key.name, key.hash, key.permissions};
}

std::optional<std::string_view> Authenticator::organization_now(std::string_view token) {
  if (token.empty() || token.size() > kTokenBytesMax) return std::nullopt;
  auto known = known_.find(sha256_hex(token));
  if (known == known_.end() || !use(known->second)) return std::nullopt;
  return known->second.organization_id;
}

bool Authenticator::use(model::ApiKey& key) {
  const WallMs now = control_.clock.wall_ms();
  if (key.expires_at && *key.expires_at <= now) return false;
  if (key.last_used_at.value_or(0) + kTouchEveryMs < now) {
    key.last_used_at = now;
    control_.store.api_keys.touch_later(key.hash, now);
  }
  return true;
}

}  // namespace sebring::control
