#pragma once
// Where a verb writes, and in which form.
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::cli {

// What the shell sees; `exec` passes the command's own.
constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kExecFailed = 125;  // the command could not be run or its end is not known

struct Output {
  bool json = false;
  // Where the first error of writing to standard output is left, an errno; borrowed, may be null. Not EPIPE: a reader
  // that has seen enough is no error.
  int* write_error = nullptr;
  // To standard output. false: nothing more can be written.
  bool write(std::string_view text) const;
  // Pretty printed, with a newline.
  void write_json(const boost::json::value& value) const;
  // "sebring: message" on standard error. Returns `code`.
  int fail(const Error& error, int code = kFailed) const;
};

// Two spaces of indent, keys in their order.
std::string pretty(const boost::json::value& value);

}  // namespace sebring::cli
