#include "image/file_attributes.h"

#include <endian.h>
#include <linux/capability.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sebring::image {
namespace {

constexpr std::string_view kCapability = "security.capability";
constexpr std::size_t kVersion2Bytes = 20, kVersion3Bytes = 24;

// Version 3 names the root of the namespace it was made in; without that it is version 2, which holds for the root of
// whichever sandbox shows the file.
std::optional<std::string> plain_capabilities(std::string_view value) {
  if (value.size() != kVersion2Bytes && value.size() != kVersion3Bytes) return std::nullopt;
  std::uint32_t magic;
  std::memcpy(&magic, value.data(), sizeof magic);
  magic = le32toh(magic);
  std::uint32_t revision = magic & VFS_CAP_REVISION_MASK;
  if (revision != (value.size() == kVersion2Bytes ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3)) return std::nullopt;
  if ((magic & ~VFS_CAP_REVISION_MASK) & ~static_cast<std::uint32_t>(VFS_CAP_FLAGS_EFFECTIVE)) return std::nullopt;
  std::string plain(value.substr(0, kVersion2Bytes));
  magic = htole32((magic & ~VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
  std::memcpy(plain.data(), &magic, sizeof magic);
  return plain;
}

}  // namespace

std::optional<std::string> attribute_to_set(std::string_view name, std::string_view value, bool keep_overlay) {
  if (name.size() > 255 || name.find('\0') != std::string_view::npos) return std::nullopt;
  if (name == kCapability) return plain_capabilities(value);
  if (name == "system.posix_acl_access" || name == "system.posix_acl_default") return std::string(value);
  if (!name.starts_with("user.") || name == "user.") return std::nullopt;
  if (name.starts_with("user.overlay.") && !keep_overlay) return std::nullopt;
  return std::string(value);
}

Result<void> set_attribute(int file, const std::string& name, const std::string& value) {
  if (::fsetxattr(file, name.c_str(), value.data(), value.size(), 0) < 0)
    return fail_errno(errno, "set attribute " + name);
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> read_attributes(int file) {
  std::vector<std::pair<std::string, std::string>> attributes;
  char few[1024];
  std::string names;
  ssize_t n = ::flistxattr(file, few, sizeof few);
  if (n >= 0) {
    names.assign(few, static_cast<std::size_t>(n));
  } else {
    if (errno == EOPNOTSUPP) return attributes;
    if (errno != ERANGE) return fail_errno(errno, "list attributes");
    names.resize(65536);  // XATTR_LIST_MAX
    n = ::flistxattr(file, names.data(), names.size());
    if (n < 0) return fail_errno(errno, "list attributes");
    names.resize(static_cast<std::size_t>(n));
  }
  for (std::size_t at = 0; at < names.size();) {
    std::string name(names.c_str() + at);
    at += name.size() + 1;
    if (name != kCapability && !name.starts_with("system.posix_acl_") && !name.starts_with("user.")) continue;
    std::string value(65536, '\0');  // XATTR_SIZE_MAX
    n = ::fgetxattr(file, name.c_str(), value.data(), value.size());
    if (n < 0 && errno == ENODATA) continue;
    if (n < 0) return fail_errno(errno, "read attribute " + name);
    value.resize(static_cast<std::size_t>(n));
    if (auto kept = attribute_to_set(name, value, true)) attributes.emplace_back(std::move(name), *std::move(kept));
  }
  std::sort(attributes.begin(), attributes.end());
  return attributes;
}

}  // namespace sebring::image
