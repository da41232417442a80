#pragma once
// What we tell a session's shell, and what it tells us: the dialect of sh, bash, dash, busybox ash and zsh.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sebring::toolbox {

// Single-quoted for any POSIX shell and zsh.
std::string shell_quote(std::string_view text);

struct ShellRequest {
  std::string report_id;  // letters and digits; comes back in the report
  std::string command;    // as the user wrote it; without NUL
  std::string file;       // path of a file with the command, used instead of `command` when not empty
  std::string input;      // paths to redirect to
  std::string output;
  std::string errors;
};

// Two lines for the shell's standard input: run, then report the status on the shell's own standard output. Written so
// that nothing a command does to descriptors, options, aliases or the grammar reaches the second line; a command that
// ends the shell (exit, exec, set -e) prevents the report, and the shell's own end tells the status.
std::string shell_lines(std::string_view shell_path, const ShellRequest& request);

// Reports in what the shell printed, among whatever else gets there (an EXIT trap).
class ReportReader {
 public:
  // The status when the report of `report_id` is in; what came before it is forgotten.
  std::optional<int> add(std::string_view bytes, std::string_view report_id);

 private:
  std::string seen_;
};

// Whether the program at `path` is one of the shells above, by its name.
bool is_spoken_shell(std::string_view path);

// The first of `candidates` whose dialect we speak and that `usable` says is there; /bin/sh without one.
std::string choose_session_shell(const std::vector<std::string>& candidates,
                                 const std::function<bool(const std::string&)>& usable);

}  // namespace sebring::toolbox
