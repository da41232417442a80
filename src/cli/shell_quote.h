#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sebring::cli {

// One word for a POSIX shell; unchanged when nothing in it is special.
std::string shell_quote(std::string_view word);
// One argument is a shell command line as it stands (as with ssh); several are a program and its arguments, each
// quoted.
std::string command_line(const std::vector<std::string>& arguments);
// The same as one simple command, which `exec` can stand before.
std::string program_line(const std::vector<std::string>& arguments);

}  // namespace sebring::cli
