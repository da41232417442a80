#include "model/api_key.h"

#include <array>

namespace sebring::model {
namespace {
constexpr std::array<std::string_view, 15> kNames = {
    "write:registries", "delete:registries", "write:snapshots", "delete:snapshots", "write:sandboxes",
    "delete:sandboxes", "read:volumes",      "write:volumes",   "delete:volumes",   "write:regions",
    "delete:regions",   "read:runners",      "write:runners",   "delete:runners",   "read:audit_logs"};
}

Permissions Permissions::all() {
  Permissions all;
  all.bits_ = (1U << kNames.size()) - 1;
  return all;
}

std::vector<std::string_view> Permissions::names() const {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if ((bits_ >> i & 1U) != 0) names.push_back(kNames[i]);
  }
  return names;
}

std::optional<Permission> parse_permission(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Permission>(1U << i);
  }
  return std::nullopt;
}

std::string_view to_text(Permission permission) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (static_cast<std::uint32_t>(permission) == 1U << i) return kNames[i];
  }
  return "";
}

std::string ApiKey::masked() const { return prefix + "********************" + suffix; }

}  // namespace sebring::model
