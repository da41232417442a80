#pragma once
#include <string_view>

namespace sebring::toolbox::files {

// Shell patterns for one name: * ? [a-z] [^a-z] and \ before a character that is meant itself.
bool is_good_pattern(std::string_view pattern);
// `pattern` must be good.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace sebring::toolbox::files
