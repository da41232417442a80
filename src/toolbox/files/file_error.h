#pragma once
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox::files {

// "doing: No such file or directory" with the wire's code: FILE_NOT_FOUND, FILE_ACCESS_DENIED, INVALID_FILE_PATH, and
// FILE_READ_FAILED for whatever else keeps a file from being read.
Error file_error(int number, std::string_view doing);
inline std::unexpected<Error> fail_file(int number, std::string_view doing) {
  return std::unexpected(file_error(number, doing));
}

}  // namespace sebring::toolbox::files
