#include "toolbox/session_shell.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kReportBytesMax = 4096;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string shell_quote(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  quoted += '\'';
  return quoted;
}

// `command` takes from eval the special powers over the shell that POSIX gives it (a syntax error would end dash), and
// steps over functions of that name; in zsh it means something else, and `builtin` does this. In bash `builtin` steps
// over a function that is called `command` too. The backslash steps over aliases. Two lines, since bash forgets an open
// brace after a syntax error inside it.
std::string shell_lines(std::string_view shell_path, const ShellRequest& request) {
  const std::string_view shell = base_name(shell_path);
  const std::string step = shell == "zsh" ? "\\builtin " : shell == "bash" ? "\\builtin \\command " : "\\command ";
  std::string lines = step;
  lines += request.file.empty() ? "\\eval " + shell_quote(request.command) : "\\. " + shell_quote(request.file);
  lines += " <" + shell_quote(request.input) + " >" + shell_quote(request.output) + " 2>" + shell_quote(request.errors);
  lines += "\n" + step + "\\echo " + request.report_id + "\":$?\"\n";
  return lines;
}

std::optional<int> ReportReader::add(std::string_view bytes, std::string_view report_id) {
  seen_ += bytes;
  const std::string start = std::string(report_id) + ":";
  for (std::size_t at = seen_.find(start); at != std::string::npos; at = seen_.find(start, at + 1)) {
    const std::size_t number = at + start.size();
    const std::size_t end = seen_.find('\n', number);
    if (end == std::string::npos) break;
    const auto status = parse_integer(std::string_view(seen_).substr(number, end - number));
    if (!status || *status < 0 || *status > 255) continue;
    seen_.erase(0, end + 1);
    return static_cast<int>(*status);
  }
  if (seen_.size() > kReportBytesMax) seen_.erase(0, seen_.size() - kReportBytesMax / 2);
  return std::nullopt;
}

bool is_spoken_shell(std::string_view path) {
  constexpr std::array<std::string_view, 5> kSpoken = {"sh", "bash", "dash", "ash", "zsh"};
  return std::find(kSpoken.begin(), kSpoken.end(), base_name(path)) != kSpoken.end();
}

std::string choose_session_shell(const std::vector<std::string>& candidates,
                                 const std::function<bool(const std::string&)>& usable) {
  for (const std::string& shell : candidates) {
    if (is_spoken_shell(shell) && usable(shell)) return shell;
  }
  return "/bin/sh";
}

}  // namespace sebring::toolbox
