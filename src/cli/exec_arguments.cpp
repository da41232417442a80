#include "cli/exec_arguments.h"

#include <algorithm>
#include <string_view>

namespace sebring::cli {
namespace {

// Flags of ours that take the next argument as their value.
constexpr std::string_view kWithValue[] = {"--cwd", "--timeout", "--env", "-e", "--data-dir", "--url", "--api-key"};

}  // namespace

ExecArguments split_exec_arguments(const std::vector<std::string>& arguments) {
  ExecArguments out;
  std::size_t i = 0;
  for (bool have_box = false; i < arguments.size(); ++i) {
    const std::string& one = arguments[i];
    if (one == "--") {
      ++i;
      break;
    }
    const bool flag = one.size() > 1 && one[0] == '-';
    if (!flag && have_box) break;
    out.ours.push_back(one);
    if (!flag) have_box = true;
    if (flag && std::ranges::find(kWithValue, one) != std::end(kWithValue) && i + 1 < arguments.size())
      out.ours.push_back(arguments[++i]);
  }
  out.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
  return out;
}

}  // namespace sebring::cli
