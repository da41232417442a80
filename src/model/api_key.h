#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace sebring::model {

enum class Permission : std::uint32_t {
  none = 0,  // membership is enough
  write_registries = 1 << 0,
  delete_registries = 1 << 1,
  write_snapshots = 1 << 2,
  delete_snapshots = 1 << 3,
  write_sandboxes = 1 << 4,
  delete_sandboxes = 1 << 5,
  read_volumes = 1 << 6,
  write_volumes = 1 << 7,
  delete_volumes = 1 << 8,
  write_regions = 1 << 9,
  delete_regions = 1 << 10,
  read_runners = 1 << 11,
  write_runners = 1 << 12,
  delete_runners = 1 << 13,
  read_audit_logs = 1 << 14,
};

// A set of permissions; order is that of the enumeration, which is the wire's.
class Permissions {
 public:
  Permissions() = default;
  static Permissions all();
  void add(Permission permission) { bits_ |= static_cast<std::uint32_t>(permission); }
  bool has(Permission permission) const {
    return (bits_ & static_cast<std::uint32_t>(permission)) == static_cast<std::uint32_t>(permission);
  }
  bool has_any(Permissions others) const { return (bits_ & others.bits_) != 0; }
  std::vector<std::string_view> names() const;
  bool operator==(const Permissions&) const = default;

 private:
  std::uint32_t bits_ = 0;
};

std::optional<Permission> parse_permission(std::string_view text);
std::string_view to_text(Permission permission);

// The plain value is never stored.
struct ApiKey {
  std::string organization_id;
  std::string user_id;
  std::string name;
  std::string hash;    // SHA-256 of the value, lower-case hex
  std::string prefix;  // first 3 characters of the value
  std::string suffix;  // last 3
  Permissions permissions;
  WallMs created_at = 0;
  std::optional<WallMs> last_used_at;
  std::optional<WallMs> expires_at;

  // "dtn********************abc"
  std::string masked() const;
};

}  // namespace sebring::model
