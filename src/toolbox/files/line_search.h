#pragma once
// Looks for a text in files of any size with little memory.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox::files {

// What is told of a line at most; the rest of a longer one is cut off.
inline constexpr std::size_t kLineBytesMax = 64 * 1024;

// Whether there is a NUL among the first bytes, as grep and git tell. The file's position does not matter and stays.
bool is_binary(int file);

// Calls `found(number, line)` for each line with `pattern` in it, numbers from 1, until it returns false. Binary files
// have none. A file that changes or can not be read on ends there.
void search_lines(int file, std::string_view pattern,
                  const std::function<bool(std::uint64_t, std::string_view)>& found);

Result<bool> contains(int file, std::string_view pattern);

// Gives the content to `out` in pieces, every `pattern` replaced by `value`.
Result<void> replace_all(int file, std::string_view pattern, std::string_view value,
                         const std::function<Result<void>(std::string_view)>& out);

}  // namespace sebring::toolbox::files
