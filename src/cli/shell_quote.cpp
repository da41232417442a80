#include "cli/shell_quote.h"

namespace sebring::cli {

std::string shell_quote(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string out = "'";
  for (char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string command_line(const std::vector<std::string>& arguments) {
  if (arguments.size() == 1) return arguments.front();
  std::string out;
  for (const std::string& argument : arguments) out += (out.empty() ? "" : " ") + shell_quote(argument);
  // A first word such as A=b would be an assignment rather than a program's name.
  if (!arguments.empty() && arguments.front().find('=') != std::string::npos &&
      shell_quote(arguments.front()) == arguments.front())
    out = "'" + arguments.front() + "'" + out.substr(arguments.front().size());
  return out;
}

std::string program_line(const std::vector<std::string>& arguments) {
  if (arguments.size() == 1) return "sh -c " + shell_quote(arguments.front());
  return command_line(arguments);
}

}  // namespace sebring::cli
