#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace sebring::cli {

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {std::min<int>(size.ws_col, 1000), std::min<int>(size.ws_row, 1000)};
}

Result<RawTerminal> RawTerminal::enter() {
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) != 0)
    return fail(Errc::invalid_argument, "standard input is no terminal; leave out --tty");
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) return fail_errno(errno, "set the terminal to raw");
  return RawTerminal(before);
}

RawTerminal::RawTerminal(RawTerminal&& other) noexcept
    : before_(other.before_), active_(std::exchange(other.active_, false)) {}

RawTerminal::~RawTerminal() {
  if (active_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

}  // namespace sebring::cli
