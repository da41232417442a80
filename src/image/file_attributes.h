#pragma once
// Extended attributes that may pass between archives and disks.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sebring::image {

// What to store for an attribute of an archive; nullopt when it must not be. Kept: "user.", access lists, and file
// capabilities, which lose whatever namespace they were made for. "user.overlay." only with `keep_overlay`.
std::optional<std::string> attribute_to_set(std::string_view name, std::string_view value, bool keep_overlay);

// By descriptor; the error's os_errno is set.
Result<void> set_attribute(int file, const std::string& name, const std::string& value);
// Those that attribute_to_set() would keep, sorted by name.
Result<std::vector<std::pair<std::string, std::string>>> read_attributes(int file);

}  // namespace sebring::image
