#pragma once
#include <cstdint>
#include <string>

#include "base/time.h"

namespace sebring::model {

// A token that lets somebody into one sandbox: a signed preview link (one port) or an SSH login. Only its hash is kept.
struct AccessToken {
  enum class Kind { preview, ssh };
  std::string id;  // UUID
  Kind kind = Kind::preview;
  std::string hash;  // SHA-256, hex
  std::string sandbox_id;
  std::uint16_t port = 0;  // of a preview
  WallMs created_at = 0;
  WallMs expires_at = 0;
};

}  // namespace sebring::model
