#include "control/log.h"

#include <cstdio>
#include <string>

namespace sebring::control {
namespace {

void write_line(std::string_view level, std::string_view message) {
  // Messages may carry text of strangers: a line stays a line.
  std::string line = "control: " + std::string(level);
  for (char c : message) line += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? ' ' : c;
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void log_info(std::string_view message) { write_line("", message); }
void log_warning(std::string_view message) { write_line("warning: ", message); }
void log_error(std::string_view message) { write_line("error: ", message); }

}  // namespace sebring::control
