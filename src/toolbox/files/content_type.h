#pragma once
#include <string_view>

namespace sebring::toolbox::files {

// By the name's extension; application/octet-stream for what is not in the list.
std::string_view content_type_of(std::string_view path);

}  // namespace sebring::toolbox::files
