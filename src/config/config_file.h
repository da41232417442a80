#pragma once
// Syntax of sebring.conf: lines of `name = value`. '#' starts a comment at the start of a line only; a value is the
// rest of its line without spaces around it. A name may stand once.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sebring::config {

struct FileLine {
  int line = 0;  // from 1
  std::string name;
  std::string value;
};
// `file` stands in messages only.
Result<std::vector<FileLine>> parse_file(std::string_view text, const std::string& file);

}  // namespace sebring::config
