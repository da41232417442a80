#pragma once
// What a name may be. Each check gives the message of the wire.
#include <string_view>

#include "base/result.h"

namespace sebring::model {

// Names of sandboxes, forks, volumes, keys: no markup, no address of a site, no control characters. `field` stands in
// the message.
Result<void> check_name(std::string_view name, std::string_view field = "name");
Result<void> check_snapshot_name(std::string_view name);
// An image reference with tag or digest; ":latest" says nothing about what will run.
Result<void> check_image_name(std::string_view name);
// Of a whole sandbox: what an image may have too (`A-B`, `a.b`); shells show such names to their children only.
Result<void> check_environment_name(std::string_view name);
Result<void> check_mount_path(std::string_view path);
Result<void> check_subpath(std::string_view path);

}  // namespace sebring::model
