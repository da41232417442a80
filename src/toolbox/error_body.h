#pragma once
// The daemon's error shape as text, for the daemon and for the process that does its file operations.
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox {

struct WireError {
  int status = 500;
  std::string code;     // machine-readable: "NOT_FOUND", "FILE_NOT_FOUND", ...
  std::string message;  // with the prefix of its kind: "not found: ..."
};
WireError wire_error(const Error& error);

// {"statusCode","message","code","timestamp","path","method","source"}
std::string error_body(const WireError& error, std::string_view method, std::string_view path);

// Appends `text` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace sebring::toolbox
